//! Positions: in a channel's log, and in a producer's own stream of events.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Epoch, Link};

/// The position of one event in a channel's log. The first event has seq 1; [`Seq::ZERO`] is the
/// position before it ("nothing yet").
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Seq(u64);

impl Seq {
    /// Before the first event.
    pub const ZERO: Self = Self(0);
    /// The first event.
    pub const FIRST: Self = Self(1);
    /// Beyond every event.
    pub const MAX: Self = Self(u64::MAX);

    /// Wraps a raw position.
    #[must_use]
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The raw position.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The following position.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The position before this one; of [`Seq::ZERO`], itself.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The position `count` events later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many events lie after `earlier` up to and including this one; 0 if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The end of a batch in a log: its last seq, the epoch it was written in, and the hash link over
/// everything up to it. Equal seq and link mean an identical prefix (protocol §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogPosition {
    /// Last seq of the batch.
    pub seq: Seq,
    /// Epoch of the batch.
    pub epoch: Epoch,
    /// Link of the batch.
    pub link: Link,
}

impl LogPosition {
    /// The position before the first batch of a channel whose genesis hashes to `genesis`.
    #[must_use]
    pub const fn origin(genesis: Link) -> Self {
        Self {
            seq: Seq::ZERO,
            epoch: Epoch::NONE,
            link: genesis,
        }
    }

    /// What decides whether one log is at least as good as another: last epoch, then length
    /// (Raft §5.4.1).
    #[must_use]
    pub const fn rank(&self) -> (Epoch, Seq) {
        (self.epoch, self.seq)
    }
}

/// The number a producer gives an event: contiguous within one (producer, producer epoch), the
/// first is 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ProducerSeq(u64);

impl ProducerSeq {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// Wraps a raw number.
    #[must_use]
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The raw number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number `count` events later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many events after `earlier` this is; 0 if it is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The incarnation of a producer. A higher one fences a lower one (protocol §14).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ProducerEpoch(u32);

impl ProducerEpoch {
    /// Wraps a raw incarnation.
    #[must_use]
    pub const fn new(raw: u32) -> Self {
        Self(raw)
    }

    /// The raw incarnation.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}
