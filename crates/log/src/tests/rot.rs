//! Bytes that change after they were durable: what exactly becomes of the channels. That no byte
//! whatsoever gives a wrong read or hides a loss is tried in [`super::enumeration`].

use std::path::Path;
use std::sync::Arc;

use tetrarch_wire::{Batch, Boot, ChannelUid, Epoch, HardState, Seq, VoterId};

use super::{Log, channel_uid, identity, open_op, read_all, request, small};
use crate::{
    CrashDisk, Damage, LogError, OpenedStore, ReadError, RecoveredChannel, StoreOptions, WriteOp,
    format, open,
};

const DIR: &str = "/store";

fn opened(disk: &CrashDisk) -> Result<OpenedStore<CrashDisk>, LogError> {
    open(Arc::new(disk.clone()), Path::new(DIR), options())
}

fn options() -> StoreOptions {
    StoreOptions {
        wal_file_bytes: Some(128 * 1024),
        segment_bytes: 3000,
        ..small()
    }
}

fn vote(n: u64) -> HardState {
    HardState {
        epoch_seen: Epoch::new(n, VoterId::from_bytes([7; 16])),
        voted_for: Some(VoterId::from_bytes([7; 16])),
        limbo: None,
    }
}

struct Sample {
    disk: CrashDisk,
    logs: [Log; 2],
}

/// Two channels, part of them in segments and part in the WAL only.
fn sample() -> Sample {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut logs = [Log::numbered(1), Log::numbered(2)];
    let mut store = opened(&disk).unwrap();
    let open_both = [
        request(1, vec![open_op("a"), WriteOp::HardState(vote(1))]),
        request(2, vec![open_op("b"), WriteOp::HardState(vote(1))]),
    ];
    store.writer.commit(&open_both).unwrap();
    for round in 0..6 {
        for (number, log) in (1..).zip(&mut logs) {
            let batches = log.batches(3, 300);
            store
                .writer
                .commit(&[request(number, vec![WriteOp::Append(batches)])])
                .unwrap();
        }
        if round == 2 {
            store.flusher.flush_all().unwrap();
            store
                .flusher
                .save_snapshot(channel_uid(1), 0, Seq::new(3), b"snapshot")
                .unwrap();
        }
    }
    store
        .writer
        .commit(&[
            request(1, vec![WriteOp::HardState(vote(5))]),
            request(2, vec![WriteOp::HardState(vote(6))]),
        ])
        .unwrap();
    store
        .writer
        .commit(&[request(1, vec![WriteOp::Append(logs[0].batches(1, 50))])])
        .unwrap();
    drop(store);
    Sample { disk, logs }
}

/// Reads a channel as far as it goes: what was read, and whether the rest was refused.
fn read_some(store: &OpenedStore<CrashDisk>, channel: ChannelUid) -> (Vec<Batch>, bool) {
    let mut all: Vec<Batch> = Vec::new();
    loop {
        let from = all.last().map_or(Seq::FIRST, |last| last.last_seq().next());
        match store.reader.read(channel, from, 2000) {
            Ok(out) => all.extend(out.batches),
            Err(ReadError::BeyondTail { .. }) => return (all, false),
            Err(_) => return (all, true),
        }
    }
}

/// The file of the WAL that holds groups.
fn wal_file(disk: &CrashDisk) -> (std::path::PathBuf, Vec<u8>) {
    disk.files()
        .into_iter()
        .filter(|(path, _)| path.starts_with("/store/wal"))
        .max_by_key(|(_, bytes)| bytes.iter().rposition(|byte| *byte != 0))
        .unwrap()
}

#[test]
fn rot_in_an_acknowledged_group_sends_the_channel_it_held_to_limbo_and_no_other() {
    let sample = sample();
    let (path, bytes) = wal_file(&sample.disk);
    // A payload byte of channel 2 in the last round.
    let victim = &sample.logs[1].all[16];
    let body = &victim.chunks()[1][..];
    let at = bytes
        .windows(body.len())
        .position(|window| window == body)
        .unwrap();
    sample.disk.flip(&path, at as u64 + 30, 1);
    for first in [true, false] {
        let store = opened(&sample.disk).unwrap();
        assert_eq!(store.channels[0].doubt, None);
        assert_eq!(store.channels[0].hard_state, vote(5));
        let doubt = &store.channels[1].doubt;
        assert_eq!(matches!(doubt, Some(Damage::WalRot { .. })), first);
        assert!(is_in_limbo(&store.channels[1], 6));
        let (read, _) = read_some(&store, channel_uid(2));
        assert_eq!(read, sample.logs[1].all[..16]);
        assert_eq!(read_all(&store.reader, channel_uid(1)), sample.logs[0].all);
    }
}

#[test]
fn a_channel_in_limbo_takes_appends_and_promises() {
    let sample = sample();
    let (path, bytes) = wal_file(&sample.disk);
    let body = &sample.logs[1].all[16].chunks()[1][..];
    let at = bytes
        .windows(body.len())
        .position(|window| window == body)
        .unwrap();
    sample.disk.flip(&path, at as u64, 1);
    let mut store = opened(&sample.disk).unwrap();
    let next = sample.logs[1].all[16..17].to_vec();
    let ended = HardState {
        epoch_seen: Epoch::new(1 << 20, VoterId::NONE),
        ..HardState::INITIAL
    };
    let again = [
        request(2, vec![WriteOp::Append(next)]),
        request(2, vec![WriteOp::HardState(ended)]),
    ];
    assert_eq!(store.writer.commit(&again).unwrap().refused, []);
    store.flusher.flush_all().unwrap();
    drop(store);
    let store = opened(&sample.disk).unwrap();
    assert_eq!(store.channels[1].hard_state, ended);
    let (read, _) = read_some(&store, channel_uid(2));
    assert_eq!(read, sample.logs[1].all[..17]);
}

#[test]
fn a_vote_survives_the_block_it_was_written_to() {
    let sample = sample();
    let (path, bytes) = wal_file(&sample.disk);
    let blocks: Vec<&[u8]> = bytes.chunks(4096).collect();
    let summary = blocks
        .iter()
        .rposition(|block| block.starts_with(b"TTRS"))
        .unwrap();
    // The record's own block, header of the group aside.
    for offset in 64..300 {
        let at = (summary - 1) * 4096 + offset;
        sample.disk.flip(&path, at as u64, 0xff);
    }
    let store = opened(&sample.disk).unwrap();
    for (found, n) in store.channels.iter().zip([5, 6]) {
        assert_eq!(found.hard_state, vote(n));
        assert_eq!(found.halted, None);
    }
}

#[test]
fn rot_that_hides_whose_records_it_held_sends_every_channel_to_limbo() {
    let sample = sample();
    let (path, bytes) = wal_file(&sample.disk);
    let third = bytes
        .chunks(4096)
        .enumerate()
        .filter(|(_, block)| block.starts_with(b"TTRG"))
        .nth(2)
        .unwrap()
        .0;
    sample.disk.flip(&path, third as u64 * 4096 + 20, 1);
    let store = opened(&sample.disk).unwrap();
    assert!(store.channels.iter().all(|found| is_in_limbo(found, 6)));
    // What other groups held is there all the same.
    for (number, log) in (1..).zip(&sample.logs) {
        let (read, _) = read_some(&store, channel_uid(number));
        assert!(log.all.starts_with(&read) && !read.is_empty());
    }
    assert!(
        sample
            .disk
            .files()
            .iter()
            .any(|(path, _)| path.starts_with("/store/damaged"))
    );
}

#[test]
fn a_changed_record_whose_header_is_intact_is_not_believed() {
    let sample = sample();
    let hint = Seq::new(0x0102_0304);
    let hint_record = request(2, vec![WriteOp::CommitHint(hint)]);
    let mut store = opened(&sample.disk).unwrap();
    store.writer.commit(&[hint_record]).unwrap();
    // A later group says that it was durable.
    let later = request(1, vec![WriteOp::HardState(vote(9))]);
    store.writer.commit(&[later]).unwrap();
    drop(store);
    let body = hint.get().to_le_bytes();
    let place = |bytes: &[u8]| bytes.windows(8).position(|window| window == body);
    let (path, at) = sample
        .disk
        .files()
        .into_iter()
        .find_map(|(path, bytes)| Some((path, place(&bytes)?)))
        .unwrap();
    sample.disk.flip(&path, at as u64 + 2, 0x70);
    let store = opened(&sample.disk).unwrap();
    assert_eq!(store.channels[0].doubt, None);
    assert!(is_in_limbo(&store.channels[1], 6));
    assert!(store.channels[1].commit_hint <= hint);
}

/// Whether a channel is in limbo that was told to promise something in this epoch.
fn is_in_limbo(found: &RecoveredChannel, told: u64) -> bool {
    let claims = found
        .hard_state
        .limbo
        .is_some_and(|limbo| limbo.claim >= told);
    claims && found.hard_state.epoch_seen.n > told && found.halted.is_none()
}

/// A promise far beyond all that a checkpoint holds is in a group that is lost.
#[test]
fn no_promise_that_can_have_been_lost_is_above_the_claim() {
    let sample = sample();
    let mut store = opened(&sample.disk).unwrap();
    store.flusher.flush_all().unwrap();
    let far = request(1, vec![WriteOp::HardState(vote(1 << 30))]);
    store.writer.commit(&[far]).unwrap();
    drop(store);
    let (path, _) = wal_file(&sample.disk);
    crate::Disk::remove(&sample.disk, &path).unwrap();
    let found = opened(&sample.disk).unwrap().channels;
    assert!(is_in_limbo(&found[0], 1 << 30), "{found:?}");
    // One of the two copies of the bound is enough, as long as it is there.
    for copy in ["a", "b"] {
        let file = format!("/store/epochs.{copy}");
        sample.disk.flip(Path::new(&file), 26, 1);
        let (path, _) = wal_file(&sample.disk);
        crate::Disk::remove(&sample.disk, &path).unwrap();
        let again = opened(&sample.disk).unwrap().channels;
        let n = found[0].hard_state.epoch_seen.n;
        assert!(is_in_limbo(&again[0], n), "{again:?}");
    }
}

#[test]
fn without_the_bound_what_may_have_been_forgotten_halts_the_channel() {
    let sample = sample();
    for copy in ["a", "b"] {
        let file = format!("/store/epochs.{copy}");
        sample.disk.flip(Path::new(&file), 26, 1);
    }
    let (path, _) = wal_file(&sample.disk);
    crate::Disk::remove(&sample.disk, &path).unwrap();
    for _ in 0..2 {
        let store = opened(&sample.disk).unwrap();
        assert!(store.channels.iter().all(|found| found.halted.is_some()));
    }
}

/// Every length but the whole: either nothing is gone, or everybody may lack something.
#[test]
fn a_wal_file_that_is_cut_short_is_no_torn_end() {
    for blocks in 0..32 {
        let sample = sample();
        let (path, _) = wal_file(&sample.disk);
        let file = crate::Disk::open(&sample.disk, &path).unwrap();
        crate::DiskFile::truncate(&file, blocks * 4096).unwrap();
        drop(file);
        assert!(
            !crate::verify(&sample.disk, Path::new(DIR))
                .unwrap()
                .is_intact()
        );
        let store = opened(&sample.disk).unwrap();
        assert!(store.channels.iter().all(|found| is_in_limbo(found, 5)));
        for (number, log) in (1..).zip(&sample.logs) {
            let (read, _) = read_some(&store, channel_uid(number));
            assert!(log.all.starts_with(&read));
        }
        drop(store);
        assert!(
            crate::verify(&sample.disk, Path::new(DIR))
                .unwrap()
                .is_intact()
        );
    }
}

#[test]
fn a_missing_wal_file_sends_every_channel_to_limbo() {
    let sample = sample();
    let (path, _) = wal_file(&sample.disk);
    crate::Disk::remove(&sample.disk, &path).unwrap();
    let store = opened(&sample.disk).unwrap();
    for found in &store.channels {
        assert!(matches!(found.doubt, Some(Damage::WalMissing { .. })));
        assert!(is_in_limbo(found, 6));
    }
}

/// A store whose WAL alone holds a channel that was opened and has voted.
fn newborn() -> CrashDisk {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut store = opened(&disk).unwrap();
    let born = request(1, vec![open_op("a"), WriteOp::HardState(vote(1))]);
    store.writer.commit(&[born]).unwrap();
    let later = request(2, vec![open_op("b")]);
    store.writer.commit(&[later]).unwrap();
    disk
}

#[test]
fn a_channel_whose_beginning_is_gone_is_lost_at_every_start_and_never_new() {
    for missing in [false, true] {
        let disk = newborn();
        let (path, _) = wal_file(&disk);
        if missing {
            crate::Disk::remove(&disk, &path).unwrap();
        } else {
            // The first group, of which nothing is left that says whose it was.
            for offset in (0..4096).step_by(16) {
                disk.flip(&path, offset, 0xff);
            }
        }
        for _ in 0..3 {
            let store = opened(&disk).unwrap();
            assert!(store.limbo.is_some_and(|promise| promise.epoch_seen.n > 1));
            assert!(store.lost.iter().all(|(_, damage)| damage.may_begin_anew()));
            let lost: Vec<ChannelUid> = store.lost.iter().map(|(uid, _)| *uid).collect();
            assert!(
                lost.contains(&channel_uid(1)),
                "missing: {missing}, {lost:?}"
            );
        }
    }
}

#[test]
fn a_channel_that_was_deleted_and_cannot_be_read_is_gone_for_good() {
    let sample = sample();
    let mut store = opened(&sample.disk).unwrap();
    let delete = request(1, vec![WriteOp::Delete]);
    store.writer.commit(&[delete]).unwrap();
    drop(store);
    for copy in ["a", "b"] {
        let file = format!("/store/chan/{}/state.{copy}", channel_uid(1));
        sample.disk.flip(Path::new(&file), 40, 1);
    }
    for _ in 0..2 {
        let store = opened(&sample.disk).unwrap();
        assert_eq!(store.lost, []);
        assert_eq!(store.channels.len(), 1);
    }
}

#[test]
fn a_truncation_that_a_damaged_segment_cannot_follow_halts_the_channel() {
    let sample = sample();
    let mut store = opened(&sample.disk).unwrap();
    store.flusher.flush_all().unwrap();
    let at = sample.logs[0].all[1].position();
    let cut = request(1, vec![WriteOp::Truncate(at)]);
    store.writer.commit(&[cut]).unwrap();
    drop(store);
    let segment = format!(
        "/store/chan/{}/seg-00000000000000000001.log",
        channel_uid(1)
    );
    sample.disk.flip(Path::new(&segment), 200, 1);
    for _ in 0..2 {
        let store = opened(&sample.disk).unwrap();
        assert!(store.channels[0].halted.is_some(), "what was cut came back");
    }
}

#[test]
fn a_missing_or_short_segment_is_known_at_once_and_halts_nothing() {
    for short in [false, true] {
        let sample = sample();
        let dir = format!("/store/chan/{}", channel_uid(1));
        let segment = Path::new(&dir).join("seg-00000000000000000001.log");
        if short {
            let file = crate::Disk::open(&sample.disk, &segment).unwrap();
            crate::DiskFile::truncate(&file, 200).unwrap();
        } else {
            crate::Disk::remove(&sample.disk, &segment).unwrap();
        }
        let store = opened(&sample.disk).unwrap();
        assert_eq!(store.reader.damaged(), [(channel_uid(1), Seq::FIRST)]);
        assert!(store.channels.iter().all(|found| found.halted.is_none()));
        assert!(read_some(&store, channel_uid(1)).1, "it is not skipped");
        assert_eq!(read_all(&store.reader, channel_uid(2)), sample.logs[1].all);
    }
}

#[test]
fn either_copy_of_the_identity_and_of_a_state_is_enough_and_neither_is_not() {
    for copy in ["a", "b"] {
        let sample = sample();
        for file in [
            format!("/store/store.meta.{copy}"),
            format!("/store/chan/{}/state.{copy}", channel_uid(1)),
        ] {
            sample.disk.flip(Path::new(&file), 40, 1);
        }
        let store = opened(&sample.disk).unwrap();
        assert_eq!(store.channels.len(), 2);
        assert!(store.channels.iter().all(|found| found.halted.is_none()));
        assert!(store.boot > Boot::new(1));
    }
    let sample = sample();
    for copy in ["a", "b"] {
        let file = format!("/store/chan/{}/state.{copy}", channel_uid(1));
        sample.disk.flip(Path::new(&file), 40, 1);
    }
    // Its beginning is gone from the WAL after this.
    let store = opened(&sample.disk).unwrap();
    let known = store
        .channels
        .iter()
        .any(|found| found.channel == channel_uid(1));
    assert!(known || store.lost.iter().any(|(uid, _)| *uid == channel_uid(1)));
    drop(store);
    for copy in ["a", "b"] {
        sample
            .disk
            .flip(Path::new(&format!("/store/store.meta.{copy}")), 40, 1);
    }
    assert!(matches!(
        opened(&sample.disk),
        Err(LogError::IdentityLost { .. })
    ));
}
