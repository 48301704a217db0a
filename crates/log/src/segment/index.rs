//! The sparse index of a segment: where some of its batches begin. It is only ever a hint. A
//! reader starts at the entry before what it looks for and checks every link from there on, so a
//! missing entry costs time and a wrong one is noticed.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tetrarch_wire::checksum::crc32c;
use tetrarch_wire::{LogPosition, Seq};

use super::{Segment, SegmentHeader};
use crate::channel::lock;
use crate::disk::{Disk, DiskError, DiskFile};

/// Most bytes of an index file that are read.
const INDEX_MAX: usize = 16 * 1024 * 1024;

/// Where a batch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IndexEntry {
    /// The position before the batch.
    pub(crate) previous: LogPosition,
    /// Where in the file it begins.
    pub(crate) offset: u64,
}

/// The index of one segment.
#[derive(Debug)]
pub(crate) struct SegmentIndex {
    entries: Mutex<Vec<IndexEntry>>,
}

impl SegmentIndex {
    /// The index that knows the beginning only: the batch after `previous` is at `offset`.
    pub(crate) fn new(previous: LogPosition, offset: u64) -> Self {
        let beginning = IndexEntry { previous, offset };
        Self {
            entries: Mutex::new(vec![beginning]),
        }
    }

    /// The last known place at or before the batch that holds `seq`.
    pub(crate) fn before(&self, seq: Seq) -> IndexEntry {
        let entries = lock(&self.entries);
        let after = entries.partition_point(|entry| entry.previous.seq < seq);
        entries[after.saturating_sub(1)]
    }

    /// Remembers a place if no known one is within `interval` bytes before it.
    pub(crate) fn offer(&self, entry: IndexEntry, interval: u64) {
        let mut entries = lock(&self.entries);
        let at = entries.partition_point(|known| known.offset <= entry.offset);
        let near = entries[at.saturating_sub(1)].offset + interval > entry.offset;
        if !near {
            entries.insert(at, entry);
        }
    }

    /// Forgets every place at or beyond `offset`.
    pub(crate) fn cut(&self, offset: u64) {
        lock(&self.entries)
            .retain(|entry| entry.offset < offset.max(1 + SegmentHeader::LEN as u64));
    }

    /// Everything known.
    pub(crate) fn entries(&self) -> Vec<IndexEntry> {
        lock(&self.entries).clone()
    }

    /// Takes over what is known about the same segment from elsewhere.
    pub(crate) fn replace(&self, known: Vec<IndexEntry>) {
        let mut entries = lock(&self.entries);
        if known.first() == entries.first() {
            *entries = known;
        }
    }

    /// Forgets everything but the beginning.
    pub(crate) fn forget(&self) {
        lock(&self.entries).truncate(1);
    }

    /// How many places are known.
    pub(crate) fn len(&self) -> usize {
        lock(&self.entries).len()
    }
}

/// Keeps a sealed segment's index beside it. Nothing depends on it, so it is not synced.
pub(crate) fn save<D: Disk>(disk: &D, path: &Path, segment: &Segment) -> Result<(), DiskError> {
    // Serialising to memory fails only for types that refuse to be serialised; these do not.
    let value = postcard::to_allocvec(&segment.index.entries()).expect("an index serialises");
    let crc = crc32c(&value).to_le_bytes();
    let file = match disk.create(path) {
        Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
            let file = disk.open(path)?;
            file.truncate(0)?;
            file
        }
        other => other?,
    };
    file.write_at(&[IoSlice::new(&crc), IoSlice::new(&value)], 0)?;
    // From here on the file knows; memory is kept for segments that are read.
    segment.index.forget();
    Ok(())
}

/// Reads a sealed segment's index, if it is there and intact.
pub(crate) fn load<D: Disk>(disk: &D, path: &Path, segment: &Segment) -> Result<(), DiskError> {
    let file = match disk.open(path) {
        Err(error) if error.is_missing() => return Ok(()),
        other => other?,
    };
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if !(4..=INDEX_MAX).contains(&len) {
        return Ok(());
    }
    let mut bytes = vec![0; len];
    if file.read_at(&mut bytes, 0)? < len {
        return Ok(());
    }
    let (crc, value) = bytes.split_at(4);
    if crc != crc32c(value).to_le_bytes() {
        return Ok(());
    }
    if let Ok(mut entries) = postcard::from_bytes::<Vec<IndexEntry>>(value) {
        // It may be of a time when the segment held something else, and more.
        entries
            .retain(|entry| entry.offset < segment.record.len.max(1 + SegmentHeader::LEN as u64));
        segment.index.replace(entries);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetrarch_wire::Link;

    fn position(seq: u64) -> LogPosition {
        LogPosition {
            seq: Seq::new(seq),
            ..LogPosition::origin(Link::genesis(b"x"))
        }
    }

    fn entry(seq: u64, offset: u64) -> IndexEntry {
        IndexEntry {
            previous: position(seq),
            offset,
        }
    }

    #[test]
    fn a_search_starts_at_the_last_place_before_it() {
        let index = SegmentIndex::new(position(10), SegmentHeader::LEN as u64);
        index.offer(entry(20, 1000), 500);
        index.offer(entry(30, 1200), 500);
        index.offer(entry(40, 2000), 500);
        index.offer(entry(30, 1600), 500);
        assert_eq!(index.len(), 4);
        assert_eq!(index.before(Seq::new(11)).offset, 128);
        assert_eq!(index.before(Seq::new(20)).offset, 128);
        assert_eq!(index.before(Seq::new(21)), entry(20, 1000));
        assert_eq!(index.before(Seq::new(99)), entry(40, 2000));
        index.cut(1600);
        assert_eq!(index.before(Seq::new(99)), entry(20, 1000));
        index.cut(0);
        assert_eq!(index.before(Seq::new(99)).offset, 128);
    }
}
