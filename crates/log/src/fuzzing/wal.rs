//! A file of the write-ahead log: whatever it holds, it falls into stretches that do not overlap,
//! the groups among them are in order, and what is salvaged from them can be written again.

use std::path::Path;

use tetrarch_wire::{Boot, ChannelUid, StoreId};

use super::record::{is_faithful, lsn, op};
use super::{byte, file_of, take};
use crate::disk::{BLOCK, CrashDisk};
use crate::recovery::judge::{Step, judge};
use crate::recovery::salvage::{Salvaged, records};
use crate::wal::buffer::{GroupBuffer, GroupLink};
use crate::wal::group::{GroupHeader, WalSeed};
use crate::wal::scan::{Extent, GroupRead, WalScan};

const INCARNATION: u64 = 3;
const BOOT: Boot = Boot::new(2);
/// Most blocks of a file.
const BLOCKS: usize = 12;

/// The bytes say which blocks follow each other: groups, headers that promise what is not there,
/// anything.
pub fn wal(bytes: &[u8]) {
    let seed = WalSeed::of(StoreId::from_bytes([1; 16]));
    let mut rest = bytes;
    let mut content = Vec::new();
    let mut last = GroupLink::NONE;
    while !rest.is_empty() && content.len() < BLOCKS * BLOCK {
        match byte(&mut rest) {
            0..=99 => last = group(seed, last, &mut rest, &mut content),
            100..=159 => header(seed, last, &mut rest, &mut content),
            160..=199 => content.extend(take::<BLOCK>(&mut rest)),
            200..=229 => content.extend([0; BLOCK]),
            230..=255 => {
                let place = usize::from(u16::from_le_bytes(take(&mut rest)));
                let mask = byte(&mut rest);
                let len = content.len().max(1);
                if let Some(byte) = content.get_mut(place % len) {
                    *byte ^= mask;
                }
            }
        }
    }
    let disk = CrashDisk::new();
    let file = file_of(&disk, Path::new("/wal"), &content);
    let scan = WalScan::new(&file, INCARNATION, BOOT, seed).expect("the disk answers");
    let extents = scan.extents(0).expect("the disk answers");
    are_in_order(&extents, content.len() as u64);
    for extent in &extents {
        let (Extent::Group { offset, .. }
        | Extent::Bad { offset, .. }
        | Extent::CutShort { offset }) = extent;
        match scan.read_group(*offset).expect("the disk answers") {
            GroupRead::Good(header, _, group) | GroupRead::Damaged(header, group) => {
                assert!(group.len() as u64 <= content.len() as u64);
                is_salvaged(&records(&header, &group, seed), seed.of_group(header.group));
            }
            GroupRead::Nothing | GroupRead::Unreadable => {}
        }
    }
    for step in judge([(INCARNATION, &extents[..])].into_iter()) {
        let (Step::Replay { offset, .. }
        | Step::Salvage { offset, .. }
        | Step::Lost { offset, .. }) = step;
        assert!(offset < content.len() as u64);
    }
}

fn are_in_order(extents: &[Extent], len: u64) {
    let mut end = 0;
    let mut number = 0;
    for extent in extents {
        match extent {
            Extent::Group { offset, header, .. } => {
                assert_eq!(*offset, end);
                assert!(header.group > number, "{number} before {}", header.group);
                number = header.group;
                end = offset + header.size() as u64;
            }
            Extent::Bad { offset, until, .. } => {
                assert_eq!(*offset, end);
                end = until.unwrap_or(len);
                assert!(end > *offset);
            }
            Extent::CutShort { .. } => panic!("it is as long as it was made"),
        }
        assert!(end <= len, "beyond the end of the file");
    }
    assert_eq!(end, len, "something was left out");
}

fn is_salvaged(salvaged: &[Salvaged], seed: u32) {
    for found in salvaged {
        match found {
            Salvaged::Record(lsn, channel, op) => is_faithful(*lsn, *channel, op, seed),
            Salvaged::Damaged(_) | Salvaged::Unknown => {}
        }
    }
}

/// A group as the writer makes it.
fn group(seed: WalSeed, last: GroupLink, rest: &mut &[u8], content: &mut Vec<u8>) -> GroupLink {
    let mut buffer = GroupBuffer::new(seed);
    buffer.begin(last.group + 1 + u64::from(byte(rest) % 2));
    for _ in 0..=byte(rest) % 4 {
        let (lsn, channel) = (lsn(rest), ChannelUid::from_bytes([byte(rest) % 3; 32]));
        if let Some(op) = op(rest) {
            buffer.push(lsn, channel, &op);
        }
    }
    let link = buffer.seal(INCARNATION, BOOT, last);
    content.extend(buffer.bytes());
    link
}

/// A header that says anything, with the right checksum, before bytes that say anything.
fn header(seed: WalSeed, last: GroupLink, rest: &mut &[u8], content: &mut Vec<u8>) {
    let header = GroupHeader {
        incarnation: INCARNATION,
        boot: BOOT,
        group: last.group + u64::from(byte(rest) % 3),
        synced_upto: u64::from(byte(rest)),
        prev_crc: last.crc,
        records: u32::from_le_bytes(take(rest)),
        len: u32::from_le_bytes(take(rest)) >> (byte(rest) % 32),
        summary_len: u32::from_le_bytes(take(rest)) >> (byte(rest) % 32),
        payload_crc: u32::from_le_bytes(take(rest)),
    };
    let start = content.len();
    content.resize(start + GroupHeader::LEN, 0);
    header.encode(&mut content[start..], seed);
    content.extend(take::<{ BLOCK - GroupHeader::LEN }>(rest));
}
