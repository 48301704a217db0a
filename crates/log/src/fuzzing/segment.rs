//! A segment and its index: an index that says anything makes no read wrong, and a segment that is
//! damaged gives what was written or says so.

use std::io::IoSlice;
use std::path::Path;

use tetrarch_wire::checksum::crc32c;
use tetrarch_wire::{
    Batch, ChannelUid, Epoch, Link, LogPosition, Seq, StoreId, VoterId,
    batch::{BatchDraft, Control},
};

use super::{byte, file_of, take};
use crate::channel::state::SegmentRecord;
use crate::disk::{CrashDisk, CrashFile, DiskFile};
use crate::segment::index::{self, IndexEntry};
use crate::segment::{Range, Segment, SegmentFault, SegmentHeader, find_end, read_batches};

/// The bytes say what is in the segment, which places its index names, and what is damaged.
pub fn segment(bytes: &[u8]) {
    let mut rest = bytes;
    header(&mut rest);
    let (batches, record, content) = content(&mut rest);
    let disk = CrashDisk::new();
    let path = Path::new("/seg.log");
    let file = file_of(&disk, path, &content);
    let segment = Segment::of(record);
    let index = Path::new("/seg.idx");
    let entries = entries(&batches, record.previous, &mut rest);
    let value = postcard::to_allocvec(&entries).expect("an index serialises");
    let kept = file_of(&disk, index, &crc32c(&value).to_le_bytes());
    kept.write_at(&[IoSlice::new(&value)], 4)
        .expect("the disk has room");
    index::load(&disk, index, &segment).expect("the disk answers");
    let mut damaged = false;
    while !rest.is_empty() {
        match byte(&mut rest) {
            0..=199 => read(&segment, &file, &batches, damaged, &mut rest),
            200..=219 => find(&segment, &file, &batches, record.previous, &mut rest),
            220..=239 => {
                let place = u64::from(u16::from_le_bytes(take(&mut rest)));
                let mask = byte(&mut rest);
                let at = place % content.len() as u64;
                disk.flip(path, at, mask);
                damaged |= mask != 0;
            }
            240..=255 => {
                let read = index::load(&disk, index, &segment);
                read.expect("the disk answers");
            }
        }
    }
}

/// A header that is intact says what was written.
fn header(rest: &mut &[u8]) {
    let mut bytes: [u8; SegmentHeader::LEN] = take(rest);
    bytes[..8].copy_from_slice(b"TTSG\x01\0\0\0");
    let crc = crc32c(&bytes[..SegmentHeader::LEN - 4]);
    bytes[SegmentHeader::LEN - 4..].copy_from_slice(&crc.to_le_bytes());
    let header = SegmentHeader::decode(&bytes).expect("the checksum is right");
    assert_eq!(SegmentHeader::decode(&header.encode()), Some(header));
}

/// A few batches in a row, from any seq on.
fn content(rest: &mut &[u8]) -> (Vec<Batch>, SegmentRecord, Vec<u8>) {
    let previous = LogPosition {
        seq: Seq::new(u64::from(byte(rest))),
        epoch: Epoch::NONE,
        link: Link::genesis(&[]),
    };
    let (mut batches, mut end) = (Vec::<Batch>::new(), previous);
    let header = SegmentHeader {
        store: StoreId::from_bytes([1; 16]),
        channel: ChannelUid::from_bytes([2; 32]),
        previous,
    };
    let mut content = header.encode().to_vec();
    for _ in 0..=byte(rest) % 12 {
        let count = 1 + u32::from(byte(rest) % 4);
        let epoch = Epoch::new(u64::from(count), VoterId::NONE).max(end.epoch);
        let batch = BatchDraft::control(&Control::Noop { count }).seal(&end, epoch, 0);
        end = batch.position();
        content.extend(batch.chunks().into_iter().flatten());
        batches.push(batch);
    }
    let record = SegmentRecord {
        previous,
        end,
        len: content.len() as u64,
        first_ms: 0,
        last_ms: 0,
    };
    (batches, record, content)
}

/// Places, some of which are where a batch begins. The first one is right: else the index is not
/// taken for this segment's.
fn entries(batches: &[Batch], previous: LogPosition, rest: &mut &[u8]) -> Vec<IndexEntry> {
    let mut entries = vec![IndexEntry {
        previous,
        offset: SegmentHeader::LEN as u64,
    }];
    for _ in 0..byte(rest) % 8 {
        let which = usize::from(byte(rest)) % batches.len();
        let offset = SegmentHeader::LEN + batches[..=which].iter().map(Batch::size).sum::<usize>();
        let mut entry = IndexEntry {
            previous: batches[which].position(),
            offset: offset as u64,
        };
        match byte(rest) {
            0..=179 => {}
            180..=209 => entry.offset = u64::from_le_bytes(take(rest)) >> (byte(rest) % 64),
            210..=239 => entry.previous.seq = Seq::new(u64::from(byte(rest))),
            240..=255 => entry.previous.link = Link::from_bytes(take(rest)),
        }
        entries.push(entry);
    }
    entries
}

/// As the store's reader reads: an index that misleads is forgotten.
fn read(segment: &Segment, file: &CrashFile, batches: &[Batch], damaged: bool, rest: &mut &[u8]) {
    let first = segment.base();
    let end = segment.record.end.seq;
    let from = first.plus(u64::from(byte(rest)) % segment.count().max(1));
    let range = Range {
        from,
        upto: end,
        max_bytes: usize::from(byte(rest)) * 4,
        interval: u64::from(byte(rest)),
    };
    let mut found = read_batches(segment, file, range);
    if matches!(found, Err(SegmentFault::Damage(_))) && segment.index.len() > 1 {
        segment.index.forget();
        found = read_batches(segment, file, range);
    }
    match found {
        Ok(found) => {
            let at = batches.partition_point(|batch| batch.last_seq() < from);
            assert!(!found.is_empty(), "nothing of what is there");
            assert!(batches[at..].starts_with(&found), "{found:?} from {from}");
        }
        Err(SegmentFault::Damage(_)) => assert!(damaged, "good bytes are called bad"),
        Err(SegmentFault::Disk(error)) => panic!("{error}"),
    }
}

/// Where the log ends is found for positions that are there, and for no others.
fn find(
    segment: &Segment,
    file: &CrashFile,
    batches: &[Batch],
    previous: LogPosition,
    rest: &mut &[u8],
) {
    let which = usize::from(byte(rest)) % batches.len();
    let mut at = batches[which].position();
    let is_right = byte(rest) < 200;
    if !is_right {
        at.link = previous.link;
    }
    let offset = SegmentHeader::LEN + batches[..=which].iter().map(Batch::size).sum::<usize>();
    match find_end(segment, file, at) {
        Ok(Some(found)) => assert_eq!((found, is_right), (offset as u64, true)),
        Ok(None) => assert!(!is_right, "{at:?} is not found"),
        Err(SegmentFault::Damage(_)) => {}
        Err(SegmentFault::Disk(error)) => panic!("{error}"),
    }
}
