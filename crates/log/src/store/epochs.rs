//! The highest epoch that anything on this store can have been promised in.
//!
//! What a lost group of the WAL held nobody knows, and so not for whom this node may have voted, or
//! in which epoch it may have acknowledged. So a bound stands elsewhere, in two copies that are both
//! durable before the WAL takes a promise beyond it, and far ahead, so that it is seldom written
//! (protocol §11.4).

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Boot, HardState};

use super::layout::Layout;
use super::slot::{self, Copy};
use crate::disk::{Disk, DiskError};
use crate::{WriteOp, WriteRequest};

const TAG: &[u8] = b"tetrarch/epochs/1";

/// So many epochs are allowed at once.
const AHEAD: u64 = 1_024;

/// The bound, as it is kept.
#[derive(Debug)]
pub(crate) struct EpochBound {
    generation: u64,
    upto: u64,
    /// Both copies of an earlier bound are lost: what was promised may be beyond it.
    is_lost: bool,
}

/// What a copy holds: the bound, and whether an earlier one was lost together with channels, which
/// then can have promised more than it says.
type Value = (u64, bool);

impl EpochBound {
    /// Reads the bound and makes both copies the newest one: what this start writes relies on both.
    pub(crate) fn load<D: Disk>(
        disk: &D,
        layout: &Layout,
        served: Boot,
    ) -> Result<Self, DiskError> {
        let copies = Self::copies(disk, layout)?;
        let newest = slot::newest(&copies).and_then(|(generation, value)| {
            let (upto, is_lost): Value = postcard::from_bytes(&value).ok()?;
            let bound = Self {
                generation,
                upto,
                is_lost,
            };
            Some(bound)
        });
        let Some(bound) = newest else {
            return Ok(Self {
                generation: 0,
                upto: 0,
                is_lost: served.get() > 0,
            });
        };
        let generation = bound.generation;
        if !copies.iter().all(|copy| copy.is_of(generation)) {
            // The other one first: until it is durable, the newest is all there is.
            let mut paths = layout.epochs();
            if copies[0].is_of(generation) {
                paths.reverse();
            }
            slot::write(disk, &paths, TAG, generation, &bound.encode())?;
        }
        Ok(bound)
    }

    /// Both copies, as they are.
    pub(crate) fn copies<D: Disk>(disk: &D, layout: &Layout) -> Result<[Copy; 2], DiskError> {
        slot::read(disk, &layout.epochs(), TAG)
    }

    /// Sees to it that the promises in these requests are covered.
    pub(crate) fn cover<D: Disk>(
        &mut self,
        disk: &D,
        layout: &Layout,
        group: &[WriteRequest],
    ) -> Result<(), DiskError> {
        let promised = group.iter().flat_map(|request| &request.ops).map(epoch_of);
        let highest = promised.max().unwrap_or(0);
        if highest > self.upto {
            self.raise_above(disk, layout, highest)?;
        }
        Ok(())
    }

    /// The promise of a channel that may have forgotten any: `None` if nobody knows the bound. The next
    /// channel that has lost something promises more.
    pub(crate) fn in_limbo<D: Disk>(
        &mut self,
        disk: &D,
        layout: &Layout,
    ) -> Result<Option<HardState>, DiskError> {
        if self.is_lost {
            return Ok(None);
        }
        let promise = HardState::in_limbo(self.upto);
        self.raise_above(disk, layout, promise.epoch_seen.n)?;
        Ok(Some(promise))
    }

    /// Ends a start: what the channels that are there have promised goes up to `highest`. Unless
    /// others are lost, a bound that was lost is known again.
    pub(crate) fn settle<D: Disk>(
        &mut self,
        disk: &D,
        layout: &Layout,
        (highest, others_are_lost): (u64, bool),
    ) -> Result<(), DiskError> {
        let is_found = self.is_lost && !others_are_lost;
        self.is_lost &= others_are_lost;
        if highest > self.upto || self.generation == 0 || is_found {
            self.raise_above(disk, layout, highest.max(self.upto))?;
        }
        Ok(())
    }

    fn raise_above<D: Disk>(&mut self, disk: &D, layout: &Layout, n: u64) -> Result<(), DiskError> {
        let upto = n.saturating_add(AHEAD);
        // A number is not used twice, even if only one copy got it.
        self.generation += 1;
        if !planted(Mutant::EpochBoundNotKept) {
            let raised = Self { upto, ..*self };
            let value = raised.encode();
            slot::write(disk, &layout.epochs(), TAG, self.generation, &value)?;
        }
        self.upto = upto;
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let value: Value = (self.upto, self.is_lost);
        // Serialising to memory fails only for types that refuse to be serialised; these do not.
        postcard::to_allocvec(&value).expect("a number serialises")
    }
}

/// The number of the epoch that an operation promises, if it is a promise.
const fn epoch_of(op: &WriteOp) -> u64 {
    match op {
        WriteOp::HardState(promise) => promise.epoch_seen.n,
        WriteOp::Open { .. }
        | WriteOp::Append(_)
        | WriteOp::Truncate(_)
        | WriteOp::Begin(_)
        | WriteOp::CommitHint(_)
        | WriteOp::Trim { .. }
        | WriteOp::Release
        | WriteOp::TakeUp
        | WriteOp::Delete => 0,
    }
}
