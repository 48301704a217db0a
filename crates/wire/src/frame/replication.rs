//! The leader's push, the replica's catch-up, and the search for the point where two logs part
//! (protocol §8, §9).

use serde::{Deserialize, Serialize};

use super::{
    DiskLevel,
    structure::{Checked, always_valid, check_count},
};
use crate::{Batch, DecodeError, EpochStart, Link, LogPosition, Seq, limits};

/// The leader pushes batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The end of the log that the first batch continues.
    pub previous: LogPosition,
    /// Last committed seq at the leader.
    pub commit: Seq,
    /// Where the leader's configuration was written.
    pub config_seq: Seq,
    /// The batches; none in a probe.
    pub batches: Vec<Batch>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct AppendPreamble {
    previous: LogPosition,
    commit: Seq,
    config_seq: Seq,
}

impl Append {
    pub(super) fn preamble(&self) -> AppendPreamble {
        AppendPreamble {
            previous: self.previous,
            commit: self.commit,
            config_seq: self.config_seq,
        }
    }

    pub(super) fn from_parts(head: AppendPreamble, batches: Vec<Batch>) -> Self {
        let AppendPreamble {
            previous,
            commit,
            config_seq,
        } = head;
        Self {
            previous,
            commit,
            config_seq,
            batches,
        }
    }
}

/// A replica says how far its log is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendAck {
    /// Last durable seq.
    pub durable: Seq,
    /// Link at that seq; it must be the leader's own.
    pub durable_link: Link,
    /// One more whenever acknowledgements from before must no longer count.
    pub ack_generation: u64,
    /// How many bytes more the leader may push.
    pub credit: u32,
    /// How full the replica's disk is.
    pub disk_level: DiskLevel,
}

/// Why a replica does not take an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NackCode {
    /// It knows a higher epoch.
    Stale,
    /// Batches before these are missing.
    Gap,
    /// Its log holds something else at that place.
    Diverged,
    /// Its disk is too full.
    DiskPressure,
    /// It may have lost what it acknowledged.
    Limbo,
    /// It has no room in its queue right now.
    Busy,
}

/// A replica refuses an append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendNack {
    /// Why.
    pub code: NackCode,
    /// The end of the replica's log.
    pub tail: LogPosition,
    /// Its latest epochs, newest first, at most [`limits::MAX_EPOCH_HISTORY`].
    pub history: Vec<EpochStart>,
}

impl Checked for AppendNack {
    fn check(&self) -> Result<(), DecodeError> {
        check_history(&self.history)
    }
}

/// A replica asks where its log and the leader's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindPoint {
    /// Numbers the request; an answer without it is dropped.
    pub request: u64,
    /// The end of the replica's log, or the end of the part of it that is in question.
    pub tail: LogPosition,
    /// Its epochs up to there, newest first, at most [`limits::MAX_EPOCH_HISTORY`].
    pub history: Vec<EpochStart>,
}

impl Checked for FindPoint {
    fn check(&self) -> Result<(), DecodeError> {
        check_history(&self.history)
    }
}

fn check_history(history: &[EpochStart]) -> Result<(), DecodeError> {
    check_count(
        "number of epochs in a history",
        history.len(),
        limits::MAX_EPOCH_HISTORY,
    )
}

/// The leader's answer: the last position that both logs may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointResponse {
    /// The request.
    pub request: u64,
    /// Where to cut. `None`: none of the named epochs is known here, ask again with older ones.
    pub point: Option<LogPosition>,
    /// First seq that the leader still holds.
    pub log_start: Seq,
}

/// How urgent a catch-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SyncClass {
    /// Needed for a majority.
    Live,
    /// A replica that came back.
    Foreground,
    /// Everything else.
    Background,
}

/// A replica pulls batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// Numbers the request; an answer without it is dropped.
    pub request: u64,
    /// The end of the log that the first batch must continue.
    pub previous: LogPosition,
    /// Most bytes to send.
    pub max_bytes: u32,
    /// How urgent it is.
    pub class: SyncClass,
}

/// Batches that were pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncChunk {
    /// The request.
    pub request: u64,
    /// First seq that the sender still holds.
    pub log_start: Seq,
    /// Last committed seq at the sender.
    pub commit: Seq,
    /// Whether this reaches the end of the sender's log.
    pub at_end: bool,
    /// The batches.
    pub batches: Vec<Batch>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SyncChunkPreamble {
    request: u64,
    log_start: Seq,
    commit: Seq,
    at_end: bool,
}

impl SyncChunk {
    pub(super) fn preamble(&self) -> SyncChunkPreamble {
        SyncChunkPreamble {
            request: self.request,
            log_start: self.log_start,
            commit: self.commit,
            at_end: self.at_end,
        }
    }

    pub(super) fn from_parts(head: SyncChunkPreamble, batches: Vec<Batch>) -> Self {
        let SyncChunkPreamble {
            request,
            log_start,
            commit,
            at_end,
        } = head;
        Self {
            request,
            log_start,
            commit,
            at_end,
            batches,
        }
    }
}

/// Why nothing can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SyncNackCode {
    /// The sender does not lead the channel.
    NotLeader,
    /// The log that was named is not a prefix of the sender's.
    Diverged,
    /// Retention has dropped what is asked for.
    Trimmed,
    /// Too many catch-ups at once.
    Busy,
    /// The bytes cannot be read on this node.
    Unreadable,
}

/// A refused catch-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncNack {
    /// The request.
    pub request: u64,
    /// Why.
    pub code: SyncNackCode,
    /// First seq that the sender still holds.
    pub log_start: Seq,
    /// How long to wait before asking again, in milliseconds.
    pub retry_after_ms: u32,
}

always_valid!(
    AppendPreamble,
    AppendAck,
    PointResponse,
    SyncRequest,
    SyncChunkPreamble,
    SyncNack,
);
