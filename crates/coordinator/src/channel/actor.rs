//! What a node adds to a channel's replica: its readers, and what everybody is shown of it. Only its
//! worker touches it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tetrarch_replica::{Moment, Replica, View, beat::PeerReplica};
use tetrarch_wire::{NodeId, Seq, Voter, VoterId};

use super::ReadRequest;
use crate::{
    registry::{ChannelHandle, FollowerFacts},
    telemetry::{Lag, ReplicaTelemetry},
};

pub(super) struct Actor {
    pub(super) handle: Arc<ChannelHandle>,
    /// Where the voters are.
    nodes: BTreeMap<VoterId, NodeId>,
    /// How far the other voters are behind, as it is shown.
    lags: BTreeMap<VoterId, ReplicaTelemetry>,
    /// What everybody was shown last.
    shown: Option<View>,
    /// Reads that wait for the next commit.
    pub(super) readers: Vec<ReadRequest>,
    /// Up to where the producers were saved.
    pub(super) producers_saved: Seq,
}

impl Actor {
    pub(super) fn new(
        handle: Arc<ChannelHandle>,
        me: VoterId,
        name_of: impl Fn(NodeId) -> String,
    ) -> Self {
        let nodes: BTreeMap<VoterId, NodeId> = handle
            .genesis
            .voters()
            .iter()
            .map(|v| (v.id(), v.node))
            .collect();
        let others = nodes.iter().filter(|(voter, _)| **voter != me);
        let lags = others
            .map(|(voter, node)| (*voter, handle.telemetry.replica(&name_of(*node))))
            .collect();
        Self {
            handle,
            nodes,
            lags,
            shown: None,
            readers: Vec::new(),
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

    /// The voters but `me`, as the beats want them.
    pub(super) fn peers(&self, me: VoterId) -> Arc<[PeerReplica]> {
        let others = self.nodes.iter().filter(|(voter, _)| **voter != me);
        let peers = others.map(|(voter, node)| PeerReplica {
            node: *node,
            voter: *voter,
        });
        peers.collect()
    }

    /// Shows how the channel stands to everybody on the node, if that has changed.
    pub(super) fn publish(&mut self, replica: &Replica) {
        let view = replica.view();
        if self.shown.as_ref() != Some(&view) {
            self.handle.publish(&view);
            self.shown = Some(view);
        }
    }

    /// Writes down what a leader knows of its followers at `now`.
    pub(super) fn publish_followers(&self, replica: &Replica, now: Moment) {
        let tail = replica.view().durable.seq;
        let mut facts = Vec::with_capacity(self.lags.len());
        for follower in replica.followers() {
            let lag = follower
                .behind_since
                .map_or(Duration::ZERO, |since| now.since(since));
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
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
