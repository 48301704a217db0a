//! Leadership terms.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Link, LogPosition, Seq, VoterId};

/// A leadership term: its number and the voter it was granted to, ordered by number first
/// (protocol §3.1). It is stored in full everywhere, so that a node that was wiped and came back
/// can never issue the same epoch again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// The number of the term. At most one leader exists per number in a `quorum` channel.
    pub n: u64,
    /// Who leads it.
    pub leader: VoterId,
}

impl Epoch {
    /// Before the first term.
    pub const NONE: Self = Self {
        n: 0,
        leader: VoterId::NONE,
    };

    /// The term `n`, led by `leader`.
    #[must_use]
    pub const fn new(n: u64, leader: VoterId) -> Self {
        Self { n, leader }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.n, self.leader.short())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// Where an epoch begins in a log: one row of the fork history (Kafka's leader-epoch cache,
/// KIP-101).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EpochStart {
    /// The epoch.
    pub epoch: Epoch,
    /// Seq of its first batch, the `EpochStart` control batch.
    pub start: Seq,
    /// Link of that batch.
    pub link: Link,
}

impl EpochStart {
    /// The row of a log of which nothing before `start` is known but that position itself: its epoch
    /// began there or earlier, like that of a log whose front retention has dropped.
    #[must_use]
    pub const fn of_beginning(start: LogPosition) -> Self {
        Self {
            epoch: start.epoch,
            start: start.seq,
            link: start.link,
        }
    }
}
