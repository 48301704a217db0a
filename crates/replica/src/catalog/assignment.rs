//! What the catalog means for one voter: which channels it holds, and what a change asks of it.

use std::collections::BTreeSet;

use tetrarch_wire::{ChannelUid, Retention, VoterId, frame::ChannelEntry};

use super::{Catalog, CatalogChange};

/// What one voter must do about the catalog (protocol §13). None of these allows bytes to be
/// removed (I28): a deleted channel's log says so itself by its own `Delete` entry, and what is
/// held without being assigned is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignmentChange {
    /// The voter holds this channel.
    Assigned(ChannelEntry),
    /// The voter holds bytes of a channel that is not assigned to it and was not deleted as far as
    /// is known: they are quarantined.
    Unassigned {
        /// The channel.
        uid: ChannelUid,
    },
    /// A channel that the voter holds keeps its events for another time.
    RetentionChanged {
        /// The channel.
        uid: ChannelUid,
        /// From now on.
        retention: Retention,
    },
    /// A channel that the voter holds was deleted.
    Deleted {
        /// The channel.
        uid: ChannelUid,
    },
}

impl CatalogChange {
    /// What this change asks of `voter`; `None` if it does not hold the channel or nothing
    /// changed.
    #[must_use]
    pub fn concerns(&self, voter: VoterId) -> Option<AssignmentChange> {
        let held = |entry: &ChannelEntry| entry.genesis.contains(voter);
        match self {
            Self::Created(entry) if held(entry) => Some(AssignmentChange::Assigned(entry.clone())),
            Self::RetentionChanged(entry) if held(entry) => {
                Some(AssignmentChange::RetentionChanged {
                    uid: entry.uid,
                    retention: entry.retention,
                })
            }
            Self::Deleted(entry) if held(entry) => {
                Some(AssignmentChange::Deleted { uid: entry.uid })
            }
            Self::Created(_) | Self::RetentionChanged(_) | Self::Deleted(_) | Self::Refused(_) => {
                None
            }
        }
    }
}

impl Catalog {
    /// The channels that `voter` holds, in the order of their uids.
    pub fn assignments(&self, voter: VoterId) -> impl Iterator<Item = &ChannelEntry> {
        self.entries
            .values()
            .filter(move |entry| entry.genesis.contains(voter))
    }

    /// Compares what `voter` finds in its store at a start, `held`, with what the catalog assigns
    /// to it: every assigned channel, and everything that is held without being assigned.
    #[must_use]
    pub fn reconcile(&self, voter: VoterId, held: &BTreeSet<ChannelUid>) -> Vec<AssignmentChange> {
        let surplus = held.iter().copied().filter(|uid| {
            self.get(*uid)
                .is_none_or(|entry| !entry.genesis.contains(voter))
        });
        self.assignments(voter)
            .cloned()
            .map(AssignmentChange::Assigned)
            .chain(surplus.map(|uid| {
                if self.was_deleted(uid) {
                    AssignmentChange::Deleted { uid }
                } else {
                    AssignmentChange::Unassigned { uid }
                }
            }))
            .collect()
    }
}
