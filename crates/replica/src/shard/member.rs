//! A channel in a shard.

use std::sync::Arc;

use tetrarch_wire::{ChannelUid, Epoch, ReplicaRole, VoterId};

use crate::{
    Moment, Replica,
    beat::{Keeper, LocalChannel, PeerReplica, Told},
};

#[derive(Debug)]
pub(super) struct Member<A> {
    channel: ChannelUid,
    keeper: Keeper,
    pub(super) replica: Replica,
    /// The other voters and holders, as of this state of the membership.
    peers: Arc<[PeerReplica]>,
    membership: u64,
    /// What beats have told the replica.
    pub(super) told: Told,
    /// Role, highest epoch and leader as the beats were told last, and the membership.
    stamped: Option<(ReplicaRole, Epoch, Option<VoterId>, u64)>,
    /// The deadline that stands in the timers.
    pub(super) armed: Option<Moment>,
    /// Whether it is in the list of those to settle.
    pub(super) is_touched: bool,
    /// Whether it is in the list of those that are to be stamped: something has happened that the
    /// beats may not say yet.
    pub(super) is_restless: bool,
    pub(super) attached: A,
}

impl<A> Member<A> {
    pub(super) fn new(channel: ChannelUid, keeper: Keeper, replica: Replica, attached: A) -> Self {
        Self {
            peers: replica.peers(),
            membership: replica.membership(),
            channel,
            keeper,
            replica,
            told: Told::default(),
            stamped: None,
            armed: None,
            is_touched: false,
            is_restless: false,
            attached,
        }
    }

    pub(super) fn is_held_by(&self, voter: VoterId) -> bool {
        self.peers.iter().any(|peer| peer.voter == voter)
    }

    /// How the channel stands, for the beats.
    pub(super) fn local_channel(&self) -> LocalChannel {
        let view = self.replica.view();
        LocalChannel {
            channel: self.channel,
            keeper: self.keeper,
            role: view.role,
            epoch_seen: view.epoch_seen,
            leader: view.leader,
            row: self.replica.leader_row(),
            replicas: Arc::clone(&self.peers),
        }
    }

    /// How the channel stands, if its role, leader, highest epoch or membership is not what the beats were
    /// told last.
    pub(super) fn news_for_beats(&mut self) -> Option<LocalChannel> {
        let (role, epoch_seen, leader) = self.replica.standing();
        let membership = self.replica.membership();
        if self.membership != membership {
            self.membership = membership;
            self.peers = self.replica.peers();
        }
        let standing = Some((role, epoch_seen, leader, membership));
        if self.stamped == standing {
            return None;
        }
        self.stamped = standing;
        Some(self.local_channel())
    }

    /// Whether one of its followers is behind, so that its lag changes with time alone.
    pub(super) fn has_lag(&self) -> bool {
        let mut followers = self.replica.followers();
        followers.any(|one| one.behind_since.is_some() || one.durable.is_none())
    }
}
