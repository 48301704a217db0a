//! What this node knows of the mesh and its channels. What it does not know stays `None`.

use std::sync::Arc;

use tetrarch_replica::{catalog::CatalogPage, membership::ReplicaSet};
use tetrarch_wire::{
    ReplicaRole, Voter, VoterId,
    frame::{ChannelEntry, ChannelStatus, Moving, Placement, ReplicaStatus, StatusPage},
};

use super::SessionContext;
use crate::registry::{ChannelHandle, Leadership};

/// Most channels on one page.
const MAX_PAGE: usize = 500;

pub(super) fn page(
    context: &SessionContext,
    channel: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> StatusPage {
    let limit = (limit as usize).clamp(1, MAX_PAGE);
    let CatalogPage { channels, next } = match channel {
        Some(name) => {
            let channels = context.catalog.find(name).into_iter().collect();
            CatalogPage {
                channels,
                next: None,
            }
        }
        None => context.catalog.list(after, limit),
    };
    StatusPage {
        asked: context.facts.name().to_owned(),
        nodes: context.facts.node_statuses(&context.catalog.drained()),
        next,
        channels: channels
            .into_iter()
            .map(|entry| channel_status(context, entry))
            .collect(),
    }
}

fn channel_status(context: &SessionContext, entry: ChannelEntry) -> ChannelStatus {
    let handle = context.registry.get(entry.uid);
    let known = Known {
        context,
        handle,
        me: context.facts.me(),
    };
    let leadership = known
        .handle
        .as_ref()
        .map(|h| h.leadership())
        .unwrap_or_default();
    let leader = leadership.leader.and_then(|id| leadership.node_of(id));
    let leader = leader.map(|node| context.facts.name_of(node));
    let set = context.catalog.holders_of(&entry);
    let replicas = set.holders().map(|(id, voter)| ReplicaStatus {
        moving: moving(&set, id, &leadership),
        ..known.replica(voter, &leadership)
    });
    let replicas = replicas.collect();
    let handle = known.handle.as_ref();
    ChannelStatus {
        uid: entry.uid,
        class: entry.genesis.class,
        retention: entry.retention,
        epoch: leadership.epoch,
        leader,
        log_start: handle.map(|h| h.log_start()),
        tail: handle.map(|h| h.tail()),
        commit: handle.map(|h| h.commit()),
        halted: leadership.halted,
        limbo: leadership.limbo,
        placement: placement(&set),
        replicas,
        name: entry.name,
    }
}

/// How far the placement is of which the catalog tells this.
pub(super) const fn placement(set: &ReplicaSet) -> Placement {
    Placement {
        version: set.version(),
        is_settled: set.is_settled(),
    }
}

/// Whether a replica comes or goes, as far as this node knows.
fn moving(set: &ReplicaSet, id: VoterId, leadership: &Leadership) -> Option<Moving> {
    if !set.wants(id) {
        return Some(Moving::Out);
    }
    let learns = leadership.learners.iter().any(|one| one.id() == id);
    learns.then_some(Moving::In)
}

struct Known<'a> {
    context: &'a SessionContext,
    handle: Option<Arc<ChannelHandle>>,
    me: VoterId,
}

impl Known<'_> {
    fn replica(&self, voter: &Voter, leadership: &Leadership) -> ReplicaStatus {
        let id = voter.id();
        let node = self.context.facts.name_of(voter.node);
        let is_leader = leadership.leader == Some(id);
        if let Some(handle) = self.handle.as_ref().filter(|_| id == self.me) {
            return ReplicaStatus {
                node,
                role: Some(handle.role()),
                moving: None,
                tail: Some(handle.tail()),
                lag_events: is_leader.then_some(0),
                lag_ms: is_leader.then_some(0),
            };
        }
        let follower = leadership
            .followers
            .iter()
            .find(|follower| follower.voter == id);
        let durable = follower.and_then(|follower| follower.durable);
        let leader_tail = self.handle.as_ref().map(|handle| handle.tail());
        ReplicaStatus {
            node,
            role: if is_leader {
                Some(ReplicaRole::Leader)
            } else {
                follower.map(|_| ReplicaRole::Replica)
            },
            moving: None,
            tail: durable,
            lag_events: durable
                .zip(leader_tail)
                .map(|(durable, tail)| tail.since(durable)),
            lag_ms: durable.map(|_| follower.and_then(|f| f.lag_ms).unwrap_or(0)),
        }
    }
}
