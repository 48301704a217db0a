//! Whose word counts for a replica: the voters of its configuration and the holders in the catalog.

use std::sync::Arc;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{ChannelConfig, Voter, VoterId};

use super::ReplicaSet;
use crate::{Replica, beat::PeerReplica, replication::Follower};

/// What is known of the holders of the channel besides its log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    /// What the catalog says, once this node knows it.
    pub(crate) set: Option<ReplicaSet>,
    /// Counts what was told.
    told: u64,
}

impl Members {
    /// The catalog says so. `false` if it is not newer than what is known.
    pub(super) fn take(&mut self, set: ReplicaSet) -> bool {
        let is_older = |known: &ReplicaSet| set.version() < known.version();
        if self.set.as_ref().is_some_and(is_older) || self.set.as_ref() == Some(&set) {
            return false;
        }
        self.set = Some(set);
        self.told += 1;
        true
    }

    fn holder(&self, id: VoterId) -> Option<&Voter> {
        self.set.as_ref()?.holder(id)
    }
}

impl Replica {
    /// The configuration in force: the latest one in the log, committed or not.
    #[must_use]
    pub fn config(&self) -> &ChannelConfig {
        self.controls.config()
    }

    /// Whether this node votes in the channel.
    pub(crate) fn is_voter(&self) -> bool {
        self.config().contains(self.me)
    }

    /// Whether this replica was taken out by a configuration that is not known to be committed. It stands for
    /// election like a voter, without a vote of its own: its log may be the only one that the others,
    /// who do not have that configuration, can follow (Ongaro 2014, §4.2.2).
    pub(crate) fn is_perhaps_needed(&self) -> bool {
        let is_open = self.config().seq > self.commit;
        is_open && !self.is_voter() && self.controls.has_named(self.me)
    }

    /// Whether a node votes in the channel or holds it. What a holder says counts although it does not
    /// vote as far as this replica knows: the configuration that names it may be on its way (KIP-853).
    pub(crate) fn is_member(&self, id: VoterId) -> bool {
        self.config().contains(id) || self.members.holder(id).is_some()
    }

    /// A voter or holder, with the node that it is on.
    #[must_use]
    pub fn member(&self, id: VoterId) -> Option<&Voter> {
        let voter = self.config().voter(id);
        voter.or_else(|| self.members.holder(id))
    }

    /// All voters and holders.
    #[must_use]
    pub fn all_members(&self) -> Vec<Voter> {
        let config = self.config();
        let holders = self.members.set.iter().flat_map(ReplicaSet::holders);
        let others = holders.filter(|(id, _)| !config.contains(*id));
        let others = others.map(|(_, voter)| *voter);
        config.voters().iter().copied().chain(others).collect()
    }

    /// The others among them, as the beats want them.
    #[must_use]
    pub fn peers(&self) -> Arc<[PeerReplica]> {
        let members = self.all_members().into_iter();
        let peers = members.map(|member| PeerReplica {
            node: member.node,
            voter: member.id(),
        });
        peers.filter(|peer| peer.voter != self.me).collect()
    }

    /// Changes whenever [`Self::all_members`] may have.
    #[must_use]
    pub fn membership(&self) -> u64 {
        self.controls.configured() + self.members.told
    }

    /// Whether the catalog wants this node out of the channel.
    pub(crate) fn is_deselected(&self) -> bool {
        let set = self.members.set.as_ref();
        set.is_some_and(|set| !set.wants(self.me))
    }

    /// What a leader knows of the other voters. Learners count for no majority.
    pub(crate) fn voting_followers(&self) -> impl Iterator<Item = (VoterId, &Follower)> {
        let followers = self.leadership.iter().flat_map(|l| l.followers.iter());
        let votes = |id: VoterId| self.config().contains(id) || planted(Mutant::LearnersCount);
        let voting = followers.filter(move |(id, _)| votes(**id));
        voting.map(|(id, follower)| (*id, follower))
    }
}
