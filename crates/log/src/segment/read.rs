//! Reading batches out of a segment. Every checksum and every link is checked on every read.

use bytes::Bytes;
use tetrarch_wire::{Batch, BatchHeader, DecodeError, LogPosition, Seq, limits};

use super::Segment;
use super::index::IndexEntry;
use crate::Damage;
use crate::disk::{DiskError, DiskFile, Failure};

/// Least and most that is read at once.
const WINDOW_MIN: usize = 64 * 1024;
const WINDOW_MAX: usize = 4 * 1024 * 1024;

/// What to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    /// A seq of the first batch.
    pub(crate) from: Seq,
    /// Nothing after this seq.
    pub(crate) upto: Seq,
    /// Most bytes; one batch is always read.
    pub(crate) max_bytes: usize,
    /// Bytes between places that the index remembers.
    pub(crate) interval: u64,
}

/// Where bytes of a file are not what was written.
#[derive(Debug)]
pub(crate) struct Rot {
    /// The last intact seq before it.
    pub(crate) after: Seq,
    /// Where in the file.
    pub(crate) offset: u64,
    /// What is wrong with the bytes.
    pub(crate) detail: String,
}

/// Why a read failed.
#[derive(Debug)]
pub(crate) enum SegmentFault {
    /// The bytes are not what was written.
    Damage(Rot),
    /// The disk refuses, for now or for good.
    Disk(DiskError),
}

/// Walks over the batches of a segment from a known place on.
struct Walk<'a, F> {
    segment: &'a Segment,
    file: &'a F,
    place: IndexEntry,
    window: Bytes,
    window_size: usize,
}

/// Reads whole batches, beginning with the one that holds `range.from`.
pub(crate) fn read_batches<F: DiskFile>(
    segment: &Segment,
    file: &F,
    range: Range,
) -> Result<Vec<Batch>, SegmentFault> {
    let window = range.max_bytes.saturating_add(WINDOW_MIN);
    let mut walk = Walk::start(segment, file, range.from, window);
    let mut batches: Vec<Batch> = Vec::new();
    let mut bytes = 0;
    // What was asked for may lie right before damage: no more is looked at than is wanted.
    while walk.place.previous.seq < range.upto && (batches.is_empty() || bytes < range.max_bytes) {
        segment.index.offer(walk.place, range.interval);
        let Some(batch) = walk.next()? else { break };
        if batch.last_seq() > range.upto {
            break;
        }
        if batch.last_seq() < range.from {
            continue;
        }
        bytes += batch.size();
        if bytes > range.max_bytes && !batches.is_empty() {
            break;
        }
        batches.push(batch);
    }
    Ok(batches)
}

/// Reads every batch of a segment.
pub(crate) fn for_each_batch<F: DiskFile>(
    segment: &Segment,
    file: &F,
    mut each: impl FnMut(&Batch),
) -> Result<(), SegmentFault> {
    let mut walk = Walk::start(segment, file, segment.base(), WINDOW_MAX);
    while let Some(batch) = walk.next()? {
        each(&batch);
    }
    Ok(())
}

/// Most bytes that are taken over at once when a segment is mended.
const INTACT_BYTES: usize = 1024 * 1024;

/// Some of the batches from `place` on that are intact; none at the end of the segment. Where a batch
/// cannot begin, no more than a header is read: a lost segment is looked at once for each of its batches.
pub(crate) fn intact_from<F: DiskFile>(
    segment: &Segment,
    file: &F,
    place: IndexEntry,
) -> Result<Vec<Batch>, SegmentFault> {
    let mut walk = Walk::start(segment, file, segment.base(), INTACT_BYTES);
    walk.place = place;
    if !walk.may_go_on()? {
        return Ok(Vec::new());
    }
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while bytes < INTACT_BYTES {
        match walk.next() {
            Ok(Some(batch)) => {
                bytes += batch.size();
                batches.push(batch);
            }
            Ok(None) => break,
            Err(SegmentFault::Damage(_)) if !batches.is_empty() => break,
            Err(fault) => return Err(fault),
        }
    }
    Ok(batches)
}

/// Where in the file the log ends that ends at `at`; `None` if the segment does not hold that
/// position.
pub(crate) fn find_end<F: DiskFile>(
    segment: &Segment,
    file: &F,
    at: LogPosition,
) -> Result<Option<u64>, SegmentFault> {
    let known = segment.index.len();
    match walk_to(segment, file, at) {
        // An index that is not this segment's must not make good bytes look bad.
        Ok(None) | Err(SegmentFault::Damage(_)) if known > 1 => {
            segment.index.forget();
            walk_to(segment, file, at)
        }
        other => other,
    }
}

fn walk_to<F: DiskFile>(
    segment: &Segment,
    file: &F,
    at: LogPosition,
) -> Result<Option<u64>, SegmentFault> {
    let mut walk = Walk::start(segment, file, at.seq, WINDOW_MIN);
    while walk.place.previous.seq < at.seq {
        if walk.next()?.is_none() {
            return Ok(None);
        }
    }
    Ok((walk.place.previous == at).then_some(walk.place.offset))
}

impl<'a, F: DiskFile> Walk<'a, F> {
    fn start(segment: &'a Segment, file: &'a F, from: Seq, window: usize) -> Self {
        Self {
            segment,
            file,
            place: segment.index.before(from),
            window: Bytes::new(),
            window_size: window.clamp(WINDOW_MIN, WINDOW_MAX),
        }
    }

    /// The next batch; `None` at the end of the segment.
    fn next(&mut self) -> Result<Option<Batch>, SegmentFault> {
        if self.place.offset >= self.segment.record.len {
            return Ok(None);
        }
        let batch = match Batch::decode(&mut self.window) {
            Err(DecodeError::Truncated { .. }) => {
                self.refill()?;
                Batch::decode(&mut self.window)
            }
            other => other,
        }
        .map_err(|error| self.rot(error.to_string()))?;
        if !batch.follows(&self.place.previous) {
            return Err(self.rot(format!(
                "the batch at seq {} does not continue the log",
                batch.base_seq()
            )));
        }
        self.place = IndexEntry {
            previous: batch.position(),
            offset: self.place.offset + batch.size() as u64,
        };
        Ok(Some(batch))
    }

    /// Whether a batch that continues the log begins here, as far as its header tells.
    fn may_go_on(&self) -> Result<bool, SegmentFault> {
        if self.place.offset >= self.segment.record.len {
            return Ok(false);
        }
        let found = BatchHeader::decode(&self.fill(BatchHeader::LEN)?);
        Ok(found.is_ok_and(|header| header.base_seq == self.place.previous.seq.next()))
    }

    /// Reads from the current place on; at least one batch, if the segment holds one.
    fn refill(&mut self) -> Result<(), SegmentFault> {
        let rest = self.segment.record.len - self.place.offset;
        let rest = usize::try_from(rest).unwrap_or(usize::MAX);
        self.window = self.fill(rest.min(self.window_size))?;
        // Most batches are smaller than the window.
        let whole = BatchHeader::decode(&self.window)
            .map_or(rest, |header| header.batch_len())
            .min(rest)
            .min(limits::MAX_BATCH_BYTES);
        if self.window.len() < whole {
            self.window = self.fill(whole)?;
        }
        Ok(())
    }

    fn fill(&self, size: usize) -> Result<Bytes, SegmentFault> {
        let mut buffer = vec![0; size];
        match self.file.read_at(&mut buffer, self.place.offset) {
            Ok(read) => {
                buffer.truncate(read);
                Ok(buffer.into())
            }
            Err(error) if error.failure == Failure::Corrupt => {
                Err(self.rot(error.source.to_string()))
            }
            Err(error) => Err(SegmentFault::Disk(error)),
        }
    }

    fn rot(&self, detail: String) -> SegmentFault {
        SegmentFault::Damage(Rot {
            after: self.place.previous.seq,
            offset: self.place.offset,
            detail,
        })
    }
}

impl From<Rot> for Damage {
    fn from(rot: Rot) -> Self {
        let Rot {
            after,
            offset,
            detail,
        } = rot;
        Self::SegmentRot {
            after,
            offset,
            detail,
        }
    }
}
