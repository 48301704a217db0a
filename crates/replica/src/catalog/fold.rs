//! The fold itself: channels by uid and by name, and the uids that must not be used again.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
};

use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, DecodeError, NodeId, Retention, Seq, Voter,
    channel::check_channel_name,
    frame::{CatalogCommand, ChannelEntry},
    limits,
};

use super::{CatalogChange, CatalogRefusal};
use crate::membership::{ReplicaSet, TooMany};

/// Most channels in one catalog. Part of the fold, therefore the same on every node.
pub const MAX_CHANNELS: usize = 100_000;
/// How many deletions are remembered, the latest first to stay. Part of the fold.
pub const MAX_TOMBSTONES: usize = 4_096;

/// Every channel of the mesh (protocol §13): the state after the events of `__meta` up to and
/// including [`Catalog::applied`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    pub(super) entries: BTreeMap<ChannelUid, ChannelEntry>,
    /// Who holds each of them.
    pub(super) sets: BTreeMap<ChannelUid, ReplicaSet>,
    names: BTreeMap<String, ChannelUid>,
    deleted: VecDeque<ChannelUid>,
    drained: BTreeSet<NodeId>,
    applied: Seq,
}

/// Channels in the order of their names, as many as were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogPage {
    /// The channels.
    pub channels: Vec<ChannelEntry>,
    /// Ask again after this name for more.
    pub next: Option<String>,
}

impl Catalog {
    /// Folds the event at `seq` in. Total: whatever the command, the catalog is valid afterwards,
    /// and an event that was folded before changes nothing.
    pub fn apply(&mut self, seq: Seq, command: &CatalogCommand) -> CatalogChange {
        if seq <= self.applied {
            return CatalogChange::Refused(CatalogRefusal::Repeated {
                seq,
                applied: self.applied,
            });
        }
        self.applied = seq;
        let outcome = match command {
            CatalogCommand::Create(entry) => self.create(entry),
            CatalogCommand::AlterRetention { uid, retention } => self.alter(*uid, *retention),
            CatalogCommand::Delete { uid } => self.delete(*uid),
            CatalogCommand::Place { uid, voters } => self.place(*uid, voters),
            CatalogCommand::Placed { uid, version } => self.placed(*uid, *version),
            CatalogCommand::Drain { node, is_drained } => self.drain(*node, *is_drained),
        };
        outcome.unwrap_or_else(CatalogChange::Refused)
    }

    /// The last seq of `__meta` that is folded in.
    #[must_use]
    pub const fn applied(&self) -> Seq {
        self.applied
    }

    /// How many channels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no channel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The channel with this uid.
    #[must_use]
    pub fn get(&self, uid: ChannelUid) -> Option<&ChannelEntry> {
        self.entries.get(&uid)
    }

    /// Who holds the channel with this uid.
    #[must_use]
    pub fn replica_set(&self, uid: ChannelUid) -> Option<&ReplicaSet> {
        self.sets.get(&uid)
    }

    /// The channel with this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&ChannelEntry> {
        self.get(*self.names.get(name)?)
    }

    /// Whether a channel with this uid was deleted, as far as that is remembered.
    #[must_use]
    pub fn was_deleted(&self, uid: ChannelUid) -> bool {
        self.deleted.contains(&uid)
    }

    /// The nodes that are to hold no channel.
    #[must_use]
    pub const fn drained(&self) -> &BTreeSet<NodeId> {
        &self.drained
    }

    /// Every channel in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = &ChannelEntry> {
        self.names.values().filter_map(|uid| self.get(*uid))
    }

    /// At most `limit` channels with names after `after`, in the order of the names.
    #[must_use]
    pub fn list(&self, after: Option<&str>, limit: usize) -> CatalogPage {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.names.range::<str, _>((start, Bound::Unbounded));
        let channels: Vec<ChannelEntry> = rest
            .by_ref()
            .take(limit)
            .filter_map(|(_, uid)| self.get(*uid).cloned())
            .collect();
        let last = channels.last().map(|entry| entry.name.clone());
        CatalogPage {
            next: last.filter(|_| rest.next().is_some()),
            channels,
        }
    }

    fn create(&mut self, entry: &ChannelEntry) -> Result<CatalogChange, CatalogRefusal> {
        check_entry(entry).map_err(|source| CatalogRefusal::Invalid {
            name: entry.name.clone(),
            source,
        })?;
        check_retention(entry, entry.retention)?;
        if let Some(uid) = self.names.get(&entry.name) {
            return Err(CatalogRefusal::NameTaken {
                name: entry.name.clone(),
                uid: *uid,
            });
        }
        if self.entries.contains_key(&entry.uid) || self.was_deleted(entry.uid) {
            return Err(CatalogRefusal::UidTaken { uid: entry.uid });
        }
        if self.entries.len() >= MAX_CHANNELS {
            return Err(CatalogRefusal::Full {
                limit: MAX_CHANNELS,
            });
        }
        self.names.insert(entry.name.clone(), entry.uid);
        self.entries.insert(entry.uid, entry.clone());
        self.sets
            .insert(entry.uid, ReplicaSet::genesis(&entry.genesis));
        Ok(CatalogChange::Created(entry.clone()))
    }

    fn place(
        &mut self,
        uid: ChannelUid,
        voters: &[Voter],
    ) -> Result<CatalogChange, CatalogRefusal> {
        let (entry, set) = self.placed_channel(uid)?;
        // A configuration that one side of a partition commits may be cut off at the heal.
        require_quorum_class(
            entry,
            "it cannot be moved; create another one where it is wanted",
        )?;
        let config = ChannelConfig::genesis(entry.genesis.class, voters.to_vec());
        let config = config.map_err(|source| CatalogRefusal::Invalid {
            name: entry.name.clone(),
            source,
        })?;
        set.want(&config).map_err(|TooMany| {
            let name = entry.name.clone();
            CatalogRefusal::TooManyMoves { name }
        })?;
        Ok(CatalogChange::Placed(entry.clone(), set.clone()))
    }

    fn placed(&mut self, uid: ChannelUid, version: u64) -> Result<CatalogChange, CatalogRefusal> {
        let (entry, set) = self.placed_channel(uid)?;
        if !set.settle(version) {
            let name = entry.name.clone();
            return Err(CatalogRefusal::Outdated { name, version });
        }
        Ok(CatalogChange::Placed(entry.clone(), set.clone()))
    }

    fn placed_channel(
        &mut self,
        uid: ChannelUid,
    ) -> Result<(&ChannelEntry, &mut ReplicaSet), CatalogRefusal> {
        match (self.entries.get(&uid), self.sets.get_mut(&uid)) {
            (Some(entry), Some(set)) => Ok((entry, set)),
            (None, _) | (_, None) => Err(CatalogRefusal::UnknownChannel { uid }),
        }
    }

    fn drain(&mut self, node: NodeId, is_drained: bool) -> Result<CatalogChange, CatalogRefusal> {
        if !is_drained {
            self.drained.remove(&node);
        } else if self.drained.len() < limits::MAX_NODES || self.drained.contains(&node) {
            self.drained.insert(node);
        } else {
            return Err(CatalogRefusal::TooManyDrained {
                limit: limits::MAX_NODES,
            });
        }
        Ok(CatalogChange::Drained { node, is_drained })
    }

    fn alter(
        &mut self,
        uid: ChannelUid,
        retention: Retention,
    ) -> Result<CatalogChange, CatalogRefusal> {
        let entry = self
            .entries
            .get_mut(&uid)
            .ok_or(CatalogRefusal::UnknownChannel { uid })?;
        check_retention(entry, retention)?;
        entry.retention = retention;
        Ok(CatalogChange::RetentionChanged(entry.clone()))
    }

    fn delete(&mut self, uid: ChannelUid) -> Result<CatalogChange, CatalogRefusal> {
        let entry = self
            .entries
            .remove(&uid)
            .ok_or(CatalogRefusal::UnknownChannel { uid })?;
        self.names.remove(&entry.name);
        self.sets.remove(&uid);
        if self.deleted.len() >= MAX_TOMBSTONES {
            self.deleted.pop_front();
        }
        self.deleted.push_back(uid);
        Ok(CatalogChange::Deleted(entry))
    }
}

/// Nothing is dropped of a log of the class `available`: where another log parts from it must stay known.
fn check_retention(entry: &ChannelEntry, retention: Retention) -> Result<(), CatalogRefusal> {
    if retention == Retention::FOREVER {
        return Ok(());
    }
    require_quorum_class(
        entry,
        "it keeps its events until it is deleted, and takes no limits of retention",
    )
}

fn require_quorum_class(entry: &ChannelEntry, why: &'static str) -> Result<(), CatalogRefusal> {
    let class = entry.genesis.class;
    match class {
        ChannelClass::Quorum => Ok(()),
        ChannelClass::Available(_) => Err(CatalogRefusal::ClassForbids {
            name: entry.name.clone(),
            class: class.name(),
            why,
        }),
    }
}

/// What every node checks before it believes an entry: decoding alone does not prove it.
fn check_entry(entry: &ChannelEntry) -> Result<(), DecodeError> {
    const WHAT: &str = "catalog entry";
    check_channel_name(&entry.name)?;
    let voters = entry.genesis.voters().to_vec();
    if ChannelConfig::genesis(entry.genesis.class, voters)? != entry.genesis {
        return Err(DecodeError::Invalid {
            what: WHAT,
            why: "its configuration is not a genesis",
        });
    }
    if !entry.genesis.contains(entry.first_leader) {
        return Err(DecodeError::Invalid {
            what: WHAT,
            why: "its first leader does not vote in it",
        });
    }
    check_size(
        "number of labels",
        entry.filter.require.len(),
        limits::MAX_LABELS,
    )?;
    for (name, value) in &entry.filter.require {
        check_size("label name", name.len(), limits::MAX_NAME_BYTES)?;
        check_size("label value", value.len(), limits::MAX_TEXT_BYTES)?;
    }
    Ok(())
}

pub(super) fn check_size(what: &'static str, size: usize, limit: usize) -> Result<(), DecodeError> {
    if size <= limit {
        return Ok(());
    }
    Err(DecodeError::TooLarge {
        what,
        size: size as u64,
        limit: limit as u64,
    })
}
