//! The forks of an `available` channel on their way into the main log (protocol §10).

use serde::{Deserialize, Serialize};

use super::structure::always_valid;
use crate::{Batch, ForkId, LogPosition, Seq};

/// A replica tells its leader of a fork that it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkReport {
    /// The fork.
    pub fork: ForkId,
    /// The position before its first batch, which the main log holds.
    pub base: LogPosition,
    /// The position of its last batch.
    pub end: LogPosition,
    /// Events in it.
    pub events: u64,
    /// Bytes of its batches.
    pub bytes: u64,
}

/// The leader wants a part of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkPull {
    /// Numbers the request.
    pub request: u64,
    /// The fork.
    pub fork: ForkId,
    /// First seq wanted.
    pub from: Seq,
    /// Most bytes to send, unless a single batch is larger.
    pub max_bytes: u32,
}

/// A part of a fork. Who cannot read it does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkChunk {
    /// The request.
    pub request: u64,
    /// Whole batches, from the one that holds the seq that was asked for.
    pub batches: Vec<Batch>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct ForkChunkPreamble {
    request: u64,
}

impl ForkChunk {
    pub(super) const fn preamble(&self) -> ForkChunkPreamble {
        ForkChunkPreamble {
            request: self.request,
        }
    }

    pub(super) fn from_parts(head: ForkChunkPreamble, batches: Vec<Batch>) -> Self {
        Self {
            request: head.request,
            batches,
        }
    }
}

always_valid!(ForkReport, ForkPull, ForkChunkPreamble);
