//! How a replica whose log is not a prefix that ends in the leader's memory gets back into step
//! (protocol §9). `search` finds the last common position, `truncate` cuts there, `pull` fetches
//! what follows; on the leader's side, `find_point` and `serve` answer. `reading` carries on when
//! the disk had to be read for any of it. `begin` is for who lacks what the leader has dropped, and
//! `offer` is the leader's side of that.

mod begin;
#[cfg(test)]
mod beginning_tests;
mod find_point;
mod offer;
mod pull;
mod reading;
mod search;
mod serve;
#[cfg(test)]
mod tests;
mod truncate;

use tetrarch_wire::{LogPosition, Seq};

use crate::Moment;

pub(crate) use begin::Beginning;
pub(crate) use offer::Offer;
pub(crate) use reading::ReadPurpose;
pub(crate) use serve::cut_to_frame;
pub use truncate::may_cut;

/// What a replica is doing to get back into step. At most one request is open at a time, and an
/// answer without its number is dropped (I23).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CatchUp {
    /// Nothing: the leader pushes.
    None,
    /// It asked where its log parts from the leader's, naming epochs that begin at or after
    /// `oldest`.
    Finding {
        request: u64,
        oldest: Option<Seq>,
        sent_at: Moment,
    },
    /// It reads its own disk to compare the leader's answer with.
    Comparing { since: Moment },
    /// It asked for batches.
    Pulling { request: u64, sent_at: Moment },
    /// It asked for a part of a snapshot.
    Receiving { request: u64, sent_at: Moment },
    /// It has taken as much as its disk has not yet written.
    WaitingForDisk { since: Moment },
    /// The leader cannot serve it now.
    Waiting { until: Moment },
    /// Class `available`: what it holds from `point` to `end` is being sealed, to be cut then.
    Sealing {
        point: LogPosition,
        end: LogPosition,
    },
}

impl CatchUp {
    pub(crate) const fn is_sealing(&self) -> bool {
        match self {
            Self::Sealing { .. } => true,
            Self::None
            | Self::Finding { .. }
            | Self::Comparing { .. }
            | Self::Pulling { .. }
            | Self::Receiving { .. }
            | Self::WaitingForDisk { .. }
            | Self::Waiting { .. } => false,
        }
    }
}
