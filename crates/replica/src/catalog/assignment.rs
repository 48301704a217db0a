//! What the catalog means for one voter: which channels it holds, and what a change asks of it.

use std::collections::BTreeSet;

use tetrarch_wire::{ChannelUid, VoterId, frame::ChannelEntry};

use super::Catalog;
use crate::membership::ReplicaSet;

/// What one voter must do about the catalog (protocol §13). Bytes go only with what the catalog says
/// of this very channel, never because it does not know it (I28): what is held without ever having been
/// assigned stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignmentChange {
    /// The voter holds this channel.
    Assigned(ChannelEntry),
    /// The voter holds the channel and is not to any more: others vote in it, and the channel's own log
    /// says so in what is committed.
    Released {
        /// The channel.
        uid: ChannelUid,
    },
    /// The voter holds bytes of a channel that is not assigned to it, and was neither deleted nor moved as
    /// far as is known.
    Unassigned {
        /// The channel.
        uid: ChannelUid,
    },
    /// A channel that the voter holds was deleted.
    Deleted {
        /// The channel.
        uid: ChannelUid,
    },
}

impl Catalog {
    /// The channels that `voter` holds or is to hold, in the order of their uids.
    pub fn assignments(&self, voter: VoterId) -> impl Iterator<Item = &ChannelEntry> {
        let entries = self.entries.values();
        entries.filter(move |entry| self.is_held(entry.uid, voter))
    }

    fn is_held(&self, uid: ChannelUid, voter: VoterId) -> bool {
        let set = self.replica_set(uid);
        set.is_some_and(|set| set.is_held_by(voter))
    }

    /// Compares what `voter` finds in its store at a start, `held`, with what the catalog assigns
    /// to it: every assigned channel, and everything that is held without being assigned.
    #[must_use]
    pub fn reconcile(&self, voter: VoterId, held: &BTreeSet<ChannelUid>) -> Vec<AssignmentChange> {
        let surplus = held.iter().copied();
        let surplus = surplus.filter(|uid| !self.is_held(*uid, voter));
        let surplus = surplus.map(|uid| {
            let was_moved = |set: &ReplicaSet| set.version() > 0;
            if self.replica_set(uid).is_some_and(was_moved) {
                AssignmentChange::Released { uid }
            } else if self.was_deleted(uid) {
                AssignmentChange::Deleted { uid }
            } else {
                AssignmentChange::Unassigned { uid }
            }
        });
        self.assignments(voter)
            .cloned()
            .map(AssignmentChange::Assigned)
            .chain(surplus)
            .collect()
    }
}
