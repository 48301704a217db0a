//! A segment: a stretch of one channel's log in a file of its own.
//!
//! ```text
//! seg-<base>.log   header (128 B) batch │ batch │ …
//! ```
//!
//! The batches are the very bytes that the leader framed. How many bytes of the file count is in
//! the channel's checkpoint and in memory, not in the file.

mod header;
pub(crate) mod index;
mod read;

use std::sync::Arc;

use tetrarch_wire::{LogPosition, Seq};

use crate::channel::state::SegmentRecord;
pub(crate) use header::SegmentHeader;
pub(crate) use index::SegmentIndex;
pub(crate) use read::{
    Range, Rot, SegmentFault, find_end, for_each_batch, intact_from, read_batches,
};

/// One segment in memory. Cloning shares the index.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) record: SegmentRecord,
    pub(crate) index: Arc<SegmentIndex>,
}

impl Segment {
    /// A segment that holds its header only.
    pub(crate) fn new(previous: LogPosition) -> Self {
        Self::of(SegmentRecord {
            previous,
            end: previous,
            len: SegmentHeader::LEN as u64,
            first_ms: 0,
            last_ms: 0,
        })
    }

    /// A segment that a checkpoint knows.
    pub(crate) fn of(record: SegmentRecord) -> Self {
        Self::at(record, SegmentHeader::LEN as u64)
    }

    /// Batches in a file whose first one begins at `offset`.
    pub(crate) fn at(record: SegmentRecord, offset: u64) -> Self {
        Self {
            index: Arc::new(SegmentIndex::new(record.previous, offset)),
            record,
        }
    }

    /// Whether one is a clone of the other.
    pub(crate) fn shares_index_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.index, &other.index)
    }

    /// First seq of the segment; its name.
    pub(crate) fn base(&self) -> Seq {
        self.record.previous.seq.next()
    }

    /// Events and other seqs in it.
    pub(crate) fn count(&self) -> u64 {
        self.record.end.seq.since(self.record.previous.seq)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }
}
