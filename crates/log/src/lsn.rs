//! The number of a record. It stays with the record when recovery copies it to another WAL file,
//! so that replay can tell what a channel's files already hold.

use std::fmt;

use serde::{Deserialize, Serialize};
use tetrarch_wire::Boot;

/// Bits of an [`Lsn`] that count within one boot.
const COUNTER_BITS: u32 = 40;

/// A log sequence number: the place of one record among all records ever written to a store.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(crate) struct Lsn(u64);

impl Lsn {
    /// Before the first record.
    pub(crate) const ZERO: Self = Self(0);

    /// Before the first record of a boot. The boot is the upper part, so a number is never used
    /// twice, also not after a group that was lost.
    pub(crate) const fn start_of(boot: Boot) -> Self {
        Self(boot.get() << COUNTER_BITS)
    }

    pub(crate) const fn new(raw: u64) -> Self {
        Self(raw)
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counter = self.0 & ((1 << COUNTER_BITS) - 1);
        write!(f, "{}.{counter}", self.0 >> COUNTER_BITS)
    }
}
