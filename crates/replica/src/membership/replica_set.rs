//! What the catalog says of a channel's holders.

use std::collections::{BTreeMap, BTreeSet};

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{ChannelConfig, Voter, VoterId, limits};

/// Who is to vote in a channel, and who holds it until that is so: everybody who was wanted since the
/// voters were last known to be the wanted ones. No configuration of its log names anybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    version: u64,
    wanted: BTreeSet<VoterId>,
    holders: BTreeMap<VoterId, Voter>,
    is_settled: bool,
}

/// Voters cannot be wanted: so many are on their way in or out that there is no place for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl ReplicaSet {
    /// The holders of a channel that nobody has moved: the voters of its genesis.
    #[must_use]
    pub fn genesis(genesis: &ChannelConfig) -> Self {
        let voters = genesis.voter_ids().iter().copied();
        Self {
            version: 0,
            wanted: voters.clone().collect(),
            holders: voters.zip(genesis.voters().iter().copied()).collect(),
            is_settled: true,
        }
    }

    /// Counts what was wanted, from 0 for the genesis.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Whether the voters are known to be the wanted ones; then nobody else holds the channel.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether `voter` is to vote.
    #[must_use]
    pub fn wants(&self, voter: VoterId) -> bool {
        self.wanted.contains(&voter)
    }

    /// Whether `voter` holds the channel, or is to.
    #[must_use]
    pub fn is_held_by(&self, voter: VoterId) -> bool {
        self.holders.contains_key(&voter)
    }

    /// Who is to vote, ascending.
    pub fn wanted(&self) -> impl Iterator<Item = (VoterId, &Voter)> {
        self.holders().filter(|(id, _)| self.wants(*id))
    }

    /// Who holds the channel or is to, ascending.
    pub fn holders(&self) -> impl Iterator<Item = (VoterId, &Voter)> {
        self.holders.iter().map(|(id, voter)| (*id, voter))
    }

    /// The holder with this id.
    #[must_use]
    pub fn holder(&self, id: VoterId) -> Option<&Voter> {
        self.holders.get(&id)
    }

    /// Whether the voters of `config` are the wanted ones.
    #[must_use]
    pub fn is_carried_out_by(&self, config: &ChannelConfig) -> bool {
        self.wanted.iter().eq(config.voter_ids())
    }

    /// The voters of `config` are wanted from now on.
    pub(crate) fn want(&mut self, config: &ChannelConfig) -> Result<(), TooMany> {
        if self.is_carried_out_by(config) {
            return Ok(());
        }
        let mut holders = self.holders.clone();
        holders.extend(
            config
                .voter_ids()
                .iter()
                .copied()
                .zip(config.voters().iter().copied()),
        );
        if holders.len() > limits::MAX_HOLDERS {
            return Err(TooMany);
        }
        self.version += 1;
        self.is_settled = false;
        self.wanted = config.voter_ids().iter().copied().collect();
        self.holders = holders;
        if planted(Mutant::LetsGoAtOnce) {
            self.holders.retain(|id, _| self.wanted.contains(id));
        }
        Ok(())
    }

    /// What was wanted under this version is so. `false` if something else is wanted by now, or this
    /// was known.
    pub(crate) fn settle(&mut self, version: u64) -> bool {
        if version != self.version || self.is_settled {
            return false;
        }
        self.is_settled = true;
        self.holders.retain(|id, _| self.wanted.contains(id));
        true
    }
}
