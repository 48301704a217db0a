//! Conflicts between leaders of an `available` channel, and the forks they leave (protocol §10).

use serde::{Deserialize, Serialize};

use super::{
    SyncClass,
    structure::{Checked, always_valid, check_count},
};
use crate::{DecodeError, Epoch, EpochStart, ForkId, Link, LogPosition, Seq, VoterId, limits};

/// A leader that met another stands still and says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderConflict {
    /// The end of its log, all of it durable.
    pub frozen: LogPosition,
    /// Binds the answer to this freeze.
    pub nonce: u64,
}

/// The outcome of comparing two frozen tails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictResult {
    /// The freeze.
    pub nonce: u64,
    /// Who goes on leading.
    pub winner: VoterId,
    /// In which epoch.
    pub new_epoch: Epoch,
    /// The last seq that both logs have in common.
    pub divergence: Seq,
}

/// A replica reports a sealed fork to the winner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkReport {
    /// The fork.
    pub fork_id: ForkId,
    /// Its first seq.
    pub base: Seq,
    /// Link of the position before it.
    pub base_link: Link,
    /// The epochs in it; at most [`limits::MAX_FORK_EPOCHS`].
    pub epochs: Vec<EpochStart>,
    /// Events.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
    /// The last seq of the longest copy known.
    pub longest: Seq,
}

impl Checked for ForkReport {
    fn check(&self) -> Result<(), DecodeError> {
        check_count(
            "number of epochs in a fork",
            self.epochs.len(),
            limits::MAX_FORK_EPOCHS,
        )
    }
}

/// The winner pulls a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkPull {
    /// Numbers the request; the answer is a catch-up chunk.
    pub request: u64,
    /// The fork.
    pub fork_id: ForkId,
    /// First seq wanted.
    pub from: Seq,
    /// Most bytes to send.
    pub max_bytes: u32,
    /// How urgent it is.
    pub class: SyncClass,
}

/// A fork is settled and may be deleted by its holders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkResolved {
    /// The fork.
    pub fork_id: ForkId,
    /// The last seq of the fork that is settled.
    pub upto: Seq,
    /// Where its events are in the main log: first and last seq of each run, at most
    /// [`limits::MAX_FORK_RANGES`].
    pub ranges: Vec<(Seq, Seq)>,
}

impl Checked for ForkResolved {
    fn check(&self) -> Result<(), DecodeError> {
        check_count(
            "number of runs of a settled fork",
            self.ranges.len(),
            limits::MAX_FORK_RANGES,
        )
    }
}

always_valid!(LeaderConflict, ConflictResult, ForkPull);
