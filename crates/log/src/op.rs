//! What callers ask to be written.

use tetrarch_wire::{Batch, ChannelConfig, ChannelUid, HardState, LogPosition, Seq};

use crate::wal::record;

/// One change of a channel's durable state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOp {
    /// The channel begins. Its files come with the flusher.
    Open {
        /// Its name.
        name: String,
        /// Its first configuration, hashed into the first link.
        genesis: ChannelConfig,
    },
    /// Batches behind the end of the log.
    Append(Vec<Batch>),
    /// Everything after this position goes; it is the new end of the log.
    Truncate(LogPosition),
    /// Everything goes, and the log begins and ends at this position, which lies after its present
    /// beginning. What came before is told by a snapshot that is kept already.
    Begin(LogPosition),
    /// The election promise.
    HardState(HardState),
    /// A commit position that is known. Kept as a lower bound only.
    CommitHint(Seq),
    /// Whole segments that end at or before this seq may go.
    Trim {
        /// The last seq that may go.
        upto: Seq,
    },
    /// This store lets go of the channel. Its events go; what it has promised stays: the votes, and how
    /// far the log went. Nothing more is taken until [`WriteOp::TakeUp`].
    Release,
    /// The store takes up again what it let go of. The log begins anew. Not the same as [`WriteOp::Open`]: a
    /// start that finds this record and nothing of what was promised before has lost that.
    TakeUp,
    /// The channel ends; its files move to `deleted/`.
    Delete,
}

/// Changes of one channel that become durable together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRequest {
    /// The channel.
    pub channel: ChannelUid,
    /// The changes, in order.
    pub ops: Vec<WriteOp>,
}

impl WriteRequest {
    /// Bytes that the request takes in a group, at most.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.ops.iter().map(record::encoded_len).sum()
    }
}
