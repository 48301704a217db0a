//! What can be wrong with bytes that were once durable.

use serde::{Deserialize, Serialize};
use tetrarch_wire::Seq;
use thiserror::Error;

/// Why a channel's bytes on this store cannot be trusted. It is never silently shortened.
///
/// What is wrong with a segment is mended by a running node with what the other voters have. What the
/// write-ahead log has lost, the others have; until the channel has it from them, it does not vote
/// (*limbo*). A channel with any other damage takes no part any more until it is rebuilt from another
/// replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
pub enum Damage {
    /// A commit group that was durable is not intact any more, and held records of the channel,
    /// or may have.
    #[error(
        "WAL file {incarnation} is damaged at offset {offset}, in a group that was durable; the next \
         start sets it aside and fetches what it lacks from other replicas"
    )]
    WalRot {
        /// The file.
        incarnation: u64,
        /// Where in it.
        offset: u64,
    },
    /// A WAL file is not there.
    #[error(
        "WAL file {incarnation} is missing; the next start fetches what it lacks from other replicas"
    )]
    WalMissing {
        /// The file.
        incarnation: u64,
    },
    /// A segment is not there.
    #[error(
        "the segment that begins after seq {after} is missing; a running node fetches it from other \
         replicas"
    )]
    SegmentMissing {
        /// The last seq before it.
        after: Seq,
    },
    /// Bytes in a segment are not what was written.
    #[error(
        "the segment is damaged after seq {after}, at offset {offset}: {detail}; a running node \
         fetches what it lacks from other replicas"
    )]
    SegmentRot {
        /// The last intact seq before the damage.
        after: Seq,
        /// Where in the segment.
        offset: u64,
        /// What is wrong with the bytes.
        detail: String,
    },
    /// Both copies of the channel's state are unreadable, and with them its latest vote.
    #[error(
        "both copies of the channel's state are unreadable, so its latest vote cannot be proven; \
         add this node as a new replica"
    )]
    StateLost,
    /// The snapshot is unreadable and the log before it is gone.
    #[error(
        "the snapshot is unreadable and the log it was made from is trimmed; repair \
         the channel from another replica"
    )]
    SnapshotLost,
    /// The channel was here, but the WAL does not hold its beginning any more.
    #[error("the channel was here, and the WAL does not hold its beginning any more")]
    NeverOpened,
    /// A durable batch does not continue the log before it.
    #[error(
        "durable batches are missing after seq {after}; the next start fetches them from other replicas"
    )]
    Gap {
        /// The last seq before the gap.
        after: Seq,
    },
    /// The log does not hold a position that a durable truncation names.
    #[error("a durable truncation names seq {at}, which the log does not hold")]
    TruncationUnknown {
        /// The seq.
        at: Seq,
    },
}

impl Damage {
    /// Whether a channel of which nothing else is left can begin anew in limbo: nothing of it was ever
    /// anywhere but in the write-ahead log.
    #[must_use]
    pub const fn may_begin_anew(&self) -> bool {
        match self {
            Self::NeverOpened | Self::WalRot { .. } | Self::WalMissing { .. } => true,
            Self::SegmentMissing { .. }
            | Self::SegmentRot { .. }
            | Self::StateLost
            | Self::SnapshotLost
            | Self::Gap { .. }
            | Self::TruncationUnknown { .. } => false,
        }
    }
}
