//! What is different in a channel of class `available` (protocol §2.1, §7, §8, §10).
//!
//! Whoever hears no leader and ranks before everybody whom it hears leads, with no majority behind it. So
//! each side of a partition has a leader, and goes on. An event is acknowledged when so many stores hold
//! it as the channel asks for, or as can be reached. When the sides hear each other again, the leader of
//! the earlier epoch follows the one of the later; what its log, and those of its followers, hold beyond
//! where the two part is sealed as a fork before it is cut, so that nothing that was acknowledged is lost.

mod collect;
mod copies;
mod epochs;
mod heal;
mod kept;
mod recollect;
mod round;
mod settled;
mod spans;
#[cfg(test)]
mod tests;

use tetrarch_wire::{ChannelClass, MinCopies};

use crate::Replica;

pub(crate) use collect::Collection;
pub(crate) use copies::Lacking;
pub use copies::held_by;
pub use epochs::next_epoch;
pub(crate) use kept::Kept;
pub(crate) use recollect::Recollection;

impl Replica {
    /// How many copies an event of this channel is to have, if it is of class `available`.
    pub(crate) fn min_copies(&self) -> Option<MinCopies> {
        match self.config().class {
            ChannelClass::Quorum => None,
            ChannelClass::Available(copies) => Some(copies),
        }
    }

    pub(crate) fn is_available(&self) -> bool {
        self.min_copies().is_some()
    }
}
