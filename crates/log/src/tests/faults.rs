//! A disk that refuses: short writes, no room, failed syncs, unreadable bytes.

use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use tetrarch_wire::Seq;

use super::{Log, channel_uid, identity, open_op, read_all, request, small};
use crate::{
    CrashDisk, Damage, Failure, GroupError, LogError, OpenedStore, ReadError, WriteOp, format, open,
};

const DIR: &str = "/store";

fn opened(disk: &CrashDisk) -> OpenedStore<CrashDisk> {
    open(Arc::new(disk.clone()), Path::new(DIR), small()).unwrap()
}

/// A store with one channel that holds `count` batches.
fn store_with(count: usize, log: &mut Log) -> (CrashDisk, OpenedStore<CrashDisk>) {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut store = opened(&disk);
    let group = [request(
        1,
        vec![open_op("a"), WriteOp::Append(log.batches(count, 1000))],
    )];
    store.writer.commit(&group).unwrap();
    (disk, store)
}

/// The disk after a power cut that kept everything that was written.
fn kept(disk: &CrashDisk) -> CrashDisk {
    disk.crash(&mut |_| 1)
}

#[test]
fn a_short_write_is_cut_back_and_the_same_batches_can_be_written_again() {
    for bytes in [0, 100, 4096, 9000] {
        let mut log = Log::new();
        let (disk, mut store) = store_with(3, &mut log);
        let before = log.all.clone();
        let group = [request(1, vec![WriteOp::Append(log.batches(12, 1000))])];
        disk.fail_next_write(".wal", bytes, Errno::NOSPC.raw_os_error());
        let error = store.writer.commit(&group).unwrap_err();
        assert!(matches!(error, GroupError::StorageFull(_)), "{error}");
        assert_eq!(read_all(&store.reader, channel_uid(1)), before);
        let crashed = opened(&kept(&disk));
        assert_eq!(read_all(&crashed.reader, channel_uid(1)), before);
        assert_eq!(crashed.channels[0].halted, None);
        store.writer.commit(&group).unwrap();
        let crashed = opened(&kept(&disk));
        assert_eq!(read_all(&crashed.reader, channel_uid(1)), log.all);
    }
}

#[test]
fn what_a_failed_write_left_is_removed_before_anything_else_is_written() {
    let mut log = Log::new();
    let (disk, mut store) = store_with(3, &mut log);
    let group = [request(1, vec![WriteOp::Append(log.batches(12, 1000))])];
    disk.fail_next_write(".wal", 8192, Errno::NOSPC.raw_os_error());
    assert!(store.writer.commit(&group).is_err());
    let wal: Vec<u8> = disk
        .files()
        .into_iter()
        .find(|(path, _)| path.to_string_lossy().ends_with("0001.wal"))
        .unwrap()
        .1;
    let headers = wal.chunks(4096).filter(|block| block.starts_with(b"TTRG"));
    assert_eq!(headers.count(), 1);
}

#[test]
fn a_failed_sync_ends_the_store_for_good() {
    let mut log = Log::new();
    let (disk, mut store) = store_with(3, &mut log);
    let before = log.all.clone();
    let group = [request(1, vec![WriteOp::Append(log.batches(1, 1000))])];
    disk.fail_next_sync(".wal");
    for _ in 0..3 {
        let error = store.writer.commit(&group).unwrap_err();
        assert!(matches!(error, GroupError::Fatal { .. }), "{error}");
        let error = store.flusher.flush(u64::MAX).unwrap_err();
        assert_eq!(error.failure(), Failure::Fatal);
    }
    assert!(store.reader.stats().poisoned.is_some());
    assert_eq!(read_all(&store.reader, channel_uid(1)), before);
    let lost = disk.crash(&mut |_| 0);
    assert_eq!(read_all(&opened(&lost).reader, channel_uid(1)), before);
}

#[test]
fn a_failed_sync_of_a_segment_ends_the_store_too() {
    let mut log = Log::new();
    let (disk, mut store) = store_with(3, &mut log);
    disk.fail_next_sync("seg-");
    let error = store.flusher.flush_all().unwrap_err();
    assert_eq!(error.failure(), Failure::Fatal);
    let group = [request(1, vec![WriteOp::Append(log.batches(1, 1000))])];
    assert!(matches!(
        store.writer.commit(&group),
        Err(GroupError::Fatal { .. })
    ));
    let lost = disk.crash(&mut |_| 0);
    assert_eq!(
        read_all(&opened(&lost).reader, channel_uid(1)),
        log.all[..3]
    );
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let mut log = Log::new();
    let (disk, mut store) = store_with(3, &mut log);
    store.flusher.flush(u64::MAX).unwrap();
    disk.set_capacity(1700 * 1024);
    let mut refused = 0;
    for round in 0..400 {
        let before = log.all.len();
        let group = [request(1, vec![WriteOp::Append(log.batches(2, 1000))])];
        match store.writer.commit(&group) {
            Ok(_) => continue,
            Err(GroupError::WalFull | GroupError::StorageFull(_)) => {}
            Err(error) => panic!("round {round}: {error}"),
        }
        log.all.truncate(before);
        match store.flusher.flush(u64::MAX) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.failure(), Failure::StorageFull, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 10, "{refused}");
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
    let crashed = opened(&kept(&disk));
    assert_eq!(read_all(&crashed.reader, channel_uid(1)), log.all);
    disk.set_capacity(10 << 20);
    store.flusher.flush(u64::MAX).unwrap();
    let group = [request(1, vec![WriteOp::Append(log.batches(2, 1000))])];
    store.writer.commit(&group).unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

#[test]
fn a_trim_needs_no_room() {
    let mut log = Log::new();
    let (disk, mut store) = store_with(100, &mut log);
    store.flusher.flush_all().unwrap();
    let group = [request(1, vec![WriteOp::Append(log.batches(10, 1000))])];
    store.writer.commit(&group).unwrap();
    disk.set_capacity(0);
    let trim = [request(1, vec![WriteOp::Trim { upto: Seq::new(90) }])];
    store.writer.commit(&trim).unwrap();
    let before = store.reader.channel_stats(channel_uid(1)).unwrap();
    // Making the next WAL file ready still fails.
    drop(store.flusher.flush(u64::MAX));
    let after = store.reader.channel_stats(channel_uid(1)).unwrap();
    assert!(after.segments < before.segments, "{after:?}");
    assert!(after.log_start.seq > Seq::ZERO);
}

#[test]
fn an_unreadable_segment_is_damage_of_that_range_only() {
    let mut log = Log::new();
    let (disk, mut store) = store_with(60, &mut log);
    store.flusher.flush_all().unwrap();
    disk.fail_reads(Some("seg-00000000000000000001"));
    let error = store
        .reader
        .read(channel_uid(1), Seq::new(2), 100)
        .unwrap_err();
    assert!(
        matches!(error, ReadError::Damaged(Damage::SegmentRot { .. })),
        "{error}"
    );
    assert!(store.reader.read(channel_uid(1), Seq::new(50), 100).is_ok());
    disk.fail_reads(None);
    assert!(store.reader.read(channel_uid(1), Seq::new(2), 100).is_ok());
}

#[test]
fn a_store_cannot_be_opened_twice() {
    let mut log = Log::new();
    let (disk, store) = store_with(1, &mut log);
    let second = open(Arc::new(disk.clone()), Path::new(DIR), small());
    assert!(matches!(second, Err(LogError::InUse { .. })));
    drop(store);
    opened(&disk);
}

/// Nothing but a flush makes room for it, and below its trigger there is none.
#[test]
fn a_group_beyond_the_bound_of_memory_is_taken_when_the_flusher_has_nothing_to_do() {
    let options = crate::StoreOptions {
        pending_max_bytes: 16 * 1024,
        ..small()
    };
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut store = open(Arc::new(disk), Path::new(DIR), options).unwrap();
    let mut log = Log::new();
    let first = [request(
        1,
        vec![open_op("a"), WriteOp::Append(log.batches(1, 1000))],
    )];
    store.writer.commit(&first).unwrap();
    let large = [request(1, vec![WriteOp::Append(log.batches(30, 1000))])];
    store.flusher.flush(u64::MAX).unwrap();
    store.writer.commit(&large).unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}
