//! What a node adds to a channel's replica: its readers, and what everybody is shown of it. Only its
//! worker touches it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tetrarch_replica::{Moment, Replica, View};
use tetrarch_wire::{Seq, VoterId};

use super::ReadRequest;
use crate::{
    node::NodeFacts,
    registry::{ChannelHandle, FollowerFacts},
    store::Opening,
    telemetry::{Lag, ReplicaTelemetry},
};

pub(super) struct Actor {
    pub(super) handle: Arc<ChannelHandle>,
    pub(super) opening: Opening,
    facts: Arc<NodeFacts>,
    /// Of which membership everybody was told.
    membership: Option<u64>,
    /// How far the others are behind, as it is shown.
    lags: BTreeMap<VoterId, ReplicaTelemetry>,
    /// What everybody was shown last.
    shown: Option<View>,
    /// Reads that wait for the next commit.
    pub(super) readers: Vec<ReadRequest>,
    /// Up to where a snapshot was saved.
    pub(super) snapshot_saved: Seq,
}

impl Actor {
    pub(super) const fn new(
        handle: Arc<ChannelHandle>,
        opening: Opening,
        facts: Arc<NodeFacts>,
    ) -> Self {
        Self {
            handle,
            opening,
            facts,
            membership: None,
            lags: BTreeMap::new(),
            shown: None,
            readers: Vec::new(),
            snapshot_saved: Seq::ZERO,
        }
    }

    /// Shows how the channel stands to everybody on the node, if that has changed.
    pub(super) fn publish(&mut self, replica: &Replica) {
        let membership = Some(replica.membership());
        if self.membership != membership {
            self.membership = membership;
            self.handle.publish_members(replica);
        }
        let view = replica.view();
        if self.shown.as_ref() != Some(&view) {
            self.handle.publish(&view);
            self.shown = Some(view);
        }
    }

    /// Writes down what a leader knows of its followers at `now`.
    pub(super) fn publish_followers(&mut self, replica: &Replica, now: Moment) {
        let tail = replica.view().durable.seq;
        self.lags.retain(|id, _| replica.member(*id).is_some());
        let mut facts = Vec::with_capacity(self.lags.len());
        for follower in replica.followers() {
            let lag = follower
                .behind_since
                .map_or(Duration::ZERO, |since| now.since(since));
            if let Some(member) = replica.member(follower.voter) {
                let shown = self.lags.entry(follower.voter).or_insert_with(|| {
                    let name = self.facts.name_of(member.node);
                    self.handle.telemetry.replica(&name)
                });
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
