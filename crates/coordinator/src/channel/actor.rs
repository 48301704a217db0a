//! One channel's actor: the protocol core with what the node adds to it. Only its worker touches
//! it, so no role is ever checked in one place and acted upon in another.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tetrarch_replica::{
    Moment, Replica, View,
    beat::{Keeper, LocalChannel, PeerReplica, Told},
};
use tetrarch_wire::{NodeId, Seq, Voter, VoterId};

use super::ReadRequest;
use crate::{
    registry::{ChannelHandle, FollowerFacts},
    telemetry::{Lag, ReplicaTelemetry},
};

pub(super) struct Actor {
    pub(super) replica: Replica,
    pub(super) handle: Arc<ChannelHandle>,
    keeper: Keeper,
    /// Where the other voters are.
    nodes: BTreeMap<VoterId, NodeId>,
    /// The other voters, as the beats want them.
    peers: Arc<[PeerReplica]>,
    /// How far the other voters are behind, as it is shown.
    lags: BTreeMap<VoterId, ReplicaTelemetry>,
    /// What the beats were told last.
    stamped: Option<LocalChannel>,
    /// What beats have told the replica.
    pub(super) told: Told,
    /// What everybody was shown last.
    shown: Option<View>,
    /// Reads that wait for the next commit.
    pub(super) readers: Vec<ReadRequest>,
    /// The deadline that stands in the worker's timers.
    pub(super) armed: Option<Moment>,
    /// Whether the actor is in the worker's list of those to settle.
    pub(super) touched: bool,
    /// Whether the actor is in the worker's list of those that are to be stamped:
    /// something has happened that the beats and the shown lag may not say yet.
    pub(super) restless: bool,
    /// Up to where the producers were saved.
    pub(super) producers_saved: Seq,
}

impl Actor {
    pub(super) fn new(
        replica: Replica,
        handle: Arc<ChannelHandle>,
        (me, keeper): (VoterId, Keeper),
        name_of: impl Fn(NodeId) -> String,
    ) -> Self {
        let nodes: BTreeMap<VoterId, NodeId> = handle
            .genesis
            .voters()
            .iter()
            .map(|v| (v.id(), v.node))
            .collect();
        let others = nodes.iter().filter(|(voter, _)| **voter != me);
        let peers = others.clone().map(|(voter, node)| PeerReplica {
            node: *node,
            voter: *voter,
        });
        let peers: Arc<[PeerReplica]> = peers.collect();
        let lags = others
            .map(|(voter, node)| (*voter, handle.telemetry.replica(&name_of(*node))))
            .collect();
        Self {
            replica,
            handle,
            keeper,
            nodes,
            peers,
            lags,
            stamped: None,
            told: Told::default(),
            shown: None,
            readers: Vec::new(),
            armed: None,
            touched: false,
            restless: false,
            producers_saved: Seq::ZERO,
        }
    }

    pub(super) fn node_of(&self, voter: VoterId) -> Option<NodeId> {
        self.nodes.get(&voter).copied()
    }

    pub(super) fn voter_on(&self, node: NodeId) -> Option<VoterId> {
        self.handle
            .genesis
            .voters()
            .iter()
            .find(|v| v.node == node)
            .map(Voter::id)
    }

    /// Whether `voter` holds this channel too.
    pub(super) fn is_held_by(&self, voter: VoterId) -> bool {
        self.nodes.contains_key(&voter)
    }

    /// How the channel stands, for the beats.
    pub(super) fn local_channel(&self) -> LocalChannel {
        let view = self.replica.view();
        LocalChannel {
            channel: self.handle.uid,
            keeper: self.keeper,
            role: view.role,
            epoch_seen: view.epoch_seen,
            leader: view.leader,
            row: self.replica.leader_row(),
            replicas: Arc::clone(&self.peers),
        }
    }

    /// How the channel stands, if its role, leader or highest epoch is not what the beats were
    /// told last.
    pub(super) fn news_for_beats(&mut self) -> Option<LocalChannel> {
        let standing = self.replica.standing();
        let is_told = self
            .stamped
            .as_ref()
            .is_some_and(|told| (told.role, told.epoch_seen, told.leader) == standing);
        if is_told {
            return None;
        }
        let local = self.local_channel();
        self.stamped = Some(local.clone());
        Some(local)
    }

    /// Shows how the channel stands to everybody on the node, if that has changed.
    pub(super) fn publish(&mut self) {
        let view = self.replica.view();
        if self.shown.as_ref() != Some(&view) {
            self.handle.publish(&view);
            self.shown = Some(view);
        }
    }

    /// Writes down what a leader knows of its followers at `now`; says whether that will change
    /// with time alone, because one of them is behind.
    pub(super) fn publish_followers(&self, now: Moment) -> bool {
        let tail = self.replica.view().durable.seq;
        let mut facts = Vec::with_capacity(self.peers.len());
        let mut is_behind = false;
        for follower in self.replica.followers() {
            let lag = follower
                .behind_since
                .map_or(Duration::ZERO, |since| now.since(since));
            is_behind |= follower.behind_since.is_some() || follower.durable.is_none();
            if let Some(shown) = self.lags.get(&follower.voter) {
                shown.observe(&Lag {
                    events: follower.durable.map(|durable| tail.since(durable)),
                    bytes: None,
                    time: follower.durable.map(|_| lag),
                });
            }
            facts.push(FollowerFacts {
                voter: follower.voter,
                durable: follower.durable,
                lag_ms: follower.durable.map(|_| millis(lag)),
            });
        }
        self.handle.publish_followers(facts);
        is_behind
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
