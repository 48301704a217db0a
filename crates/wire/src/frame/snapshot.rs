//! A replica that lacks what retention has dropped is given what came of it (protocol §9.4).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::structure::Checked;
use crate::{DecodeError, LogPosition, Seq, limits};

/// What a snapshot is of, and how it is told from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHeader {
    /// The position before the first batch that the leader holds: where the log begins that goes
    /// with the snapshot.
    pub start: LogPosition,
    /// The committed seq that the snapshot stands at: what it says includes every batch up to here.
    pub seq: Seq,
    /// Bytes of the whole snapshot, at most [`limits::MAX_SNAPSHOT_BYTES`].
    pub len: u64,
    /// CRC-32C of all of them.
    pub checksum: u32,
}

impl SnapshotHeader {
    fn check(&self) -> Result<(), DecodeError> {
        if self.len > limits::MAX_SNAPSHOT_BYTES as u64 {
            return Err(DecodeError::Invalid {
                what: "snapshot header",
                why: "the snapshot is longer than any may be",
            });
        }
        if self.start.seq > self.seq {
            return Err(DecodeError::Invalid {
                what: "snapshot header",
                why: "it stands before the log that goes with it",
            });
        }
        Ok(())
    }
}

/// A replica asks for a part of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRequest {
    /// Numbers the request; an answer without it is dropped.
    pub request: u64,
    /// The snapshot that it goes on with. `None`, or one that the leader does not hold any more:
    /// the first part of another.
    pub of: Option<SnapshotHeader>,
    /// First byte of the part.
    pub offset: u64,
}

impl Checked for SnapshotRequest {
    fn check(&self) -> Result<(), DecodeError> {
        self.of.as_ref().map_or(Ok(()), SnapshotHeader::check)
    }
}

/// A part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotChunk {
    /// The request.
    pub request: u64,
    /// The snapshot.
    pub of: SnapshotHeader,
    /// First byte of the part.
    pub offset: u64,
    /// The part.
    pub bytes: Bytes,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SnapshotChunkPreamble {
    request: u64,
    of: SnapshotHeader,
    offset: u64,
}

impl Checked for SnapshotChunkPreamble {
    fn check(&self) -> Result<(), DecodeError> {
        self.of.check()
    }
}

impl SnapshotChunk {
    pub(super) fn preamble(&self) -> SnapshotChunkPreamble {
        SnapshotChunkPreamble {
            request: self.request,
            of: self.of,
            offset: self.offset,
        }
    }

    pub(super) fn from_parts(head: SnapshotChunkPreamble, bytes: Bytes) -> Self {
        let SnapshotChunkPreamble {
            request,
            of,
            offset,
        } = head;
        Self {
            request,
            of,
            offset,
            bytes,
        }
    }
}
