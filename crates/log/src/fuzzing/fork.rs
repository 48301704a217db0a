//! A fork: whatever its file says, and however it is damaged, it gives what was written or says so.

use std::path::Path;

use tetrarch_wire::checksum::crc32c;
use tetrarch_wire::{
    Batch, ChannelUid, Epoch, ForkId, Link, LogPosition, Seq, VoterId,
    batch::{BatchDraft, Control},
};

use super::{byte, file_of, take};
use crate::disk::{CrashDisk, CrashFile};
use crate::fork::{self, Content, Description, Fork, describe};
use crate::segment::{Range, SegmentFault, read_batches};

const CHANNEL: ChannelUid = ChannelUid::from_bytes([2; 32]);

/// The bytes say what is in the fork, what its file says about itself, and what is damaged.
pub fn fork(bytes: &[u8]) {
    let mut rest = bytes;
    description(&mut rest);
    let (batches, id, content) = content(&mut rest);
    let disk = CrashDisk::new();
    let path = Path::new("/fork");
    let file = file_of(&disk, path, &content);
    let known = load(&disk, path, id).expect("nothing is damaged yet");
    let mut damaged = false;
    while !rest.is_empty() {
        match byte(&mut rest) {
            0..=159 => read(&known, &file, &batches, damaged, &mut rest),
            160..=199 => {
                let at = u64::from(u16::from_le_bytes(take(&mut rest))) % content.len() as u64;
                let mask = byte(&mut rest);
                disk.flip(path, at, mask);
                damaged |= mask != 0;
            }
            200..=209 => {
                let len = u64::from(u16::from_le_bytes(take(&mut rest))) % content.len() as u64;
                disk.shorten(path, len);
                damaged = true;
            }
            210..=239 => whole(&known, &file, &batches, damaged),
            240..=255 => match load(&disk, path, id) {
                Some(again) => assert_eq!(again.summary, known.summary),
                None => assert!(damaged, "a good description is called bad"),
            },
        }
    }
}

/// A description that is intact says what was written.
fn description(rest: &mut &[u8]) {
    let mut bytes: [u8; Description::LEN] = take(rest);
    bytes[..8].copy_from_slice(b"TTFK\x01\0\0\0");
    let crc = crc32c(&bytes[..Description::LEN - 4]);
    bytes[Description::LEN - 4..].copy_from_slice(&crc.to_le_bytes());
    if let Some(description) = Description::decode(&bytes) {
        let again = Description::decode(&description.encode());
        assert_eq!(again, Some(description));
    }
    // What follows it is as long as it says, or it is not believed.
    let disk = CrashDisk::new();
    let path = Path::new("/made-up");
    drop(file_of(&disk, path, &bytes));
    assert!(load(&disk, path, ForkId::from_bytes(take(rest))).is_none());
}

fn load(disk: &CrashDisk, path: &Path, id: ForkId) -> Option<Fork> {
    let loaded = fork::load(disk, path, CHANNEL, id);
    loaded.expect("the disk answers").ok()
}

/// A few batches in a row, from any seq on, as the file of a fork.
fn content(rest: &mut &[u8]) -> (Vec<Batch>, ForkId, Vec<u8>) {
    let base = LogPosition {
        seq: Seq::new(u64::from(byte(rest))),
        epoch: Epoch::NONE,
        link: Link::genesis(&[]),
    };
    let (mut batches, mut content) = (Vec::<Batch>::new(), Content::after(base));
    for _ in 0..=byte(rest) % 12 {
        let count = 1 + u32::from(byte(rest) % 4);
        let end = content.end();
        let epoch = Epoch::new(u64::from(count), VoterId::NONE).max(end.epoch);
        let batch = BatchDraft::control(&Control::Noop { count }).seal(&end, epoch, 0);
        content.take(&batch);
        batches.push(batch);
    }
    let summary = content.summary(CHANNEL);
    let (description, epochs) = describe(CHANNEL, &summary);
    let mut bytes = description.encode().to_vec();
    bytes.extend(batches.iter().flat_map(Batch::chunks).flatten());
    bytes.extend(epochs);
    (batches, summary.id, bytes)
}

fn read(fork: &Fork, file: &CrashFile, batches: &[Batch], damaged: bool, rest: &mut &[u8]) {
    let first = fork.batches.base();
    let from = first.plus(u64::from(byte(rest)) % fork.batches.count());
    let range = Range {
        from,
        upto: fork.summary.end.seq,
        max_bytes: usize::from(byte(rest)) * 4,
        interval: u64::from(byte(rest)),
    };
    match read_batches(&fork.batches, file, range) {
        Ok(found) => {
            let at = batches.partition_point(|batch| batch.last_seq() < from);
            assert!(!found.is_empty(), "nothing of what is there");
            assert!(batches[at..].starts_with(&found), "{found:?} from {from}");
        }
        Err(SegmentFault::Damage(_)) => assert!(damaged, "good bytes are called bad"),
        Err(SegmentFault::Disk(error)) => panic!("{error}"),
    }
}

/// All of it at once.
fn whole(fork: &Fork, file: &CrashFile, batches: &[Batch], damaged: bool) {
    let mut read = Vec::new();
    let checked = fork::check(fork, file, CHANNEL, |batch| read.push(batch.clone()));
    assert!(batches.starts_with(&read), "{read:?}");
    match checked.expect("the disk answers") {
        Ok(()) => assert_eq!(read, batches),
        Err(damage) => assert!(damaged, "good bytes are called bad: {damage}"),
    }
}
