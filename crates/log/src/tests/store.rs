//! The store on a real disk, from formatting to reading back after a restart.

use std::sync::Arc;

use super::{Log, channel_uid, identity, open_op, read_all, request, small, vote};
use crate::{
    GroupError, LogError, ReadError, RealDisk, Refusal, StoreOptions, WriteOp, format, open,
};
use tetrarch_wire::{Boot, Epoch, HardState, NodeId, Seq, VoterId, limits};

fn formatted() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    format(&RealDisk, dir.path(), &identity()).unwrap();
    dir
}

#[test]
fn a_file_of_the_least_size_takes_the_largest_request_there_is() {
    let dir = formatted();
    let options = StoreOptions {
        wal_file_bytes: Some(2 << 20),
        ..StoreOptions::default()
    };
    let mut store = open(Arc::new(RealDisk), dir.path(), options).unwrap();
    let mut log = Log::new();
    let mut bytes = 0;
    while bytes < store.writer.request_limit() {
        bytes += log.batches(1, 50_000)[0].size();
    }
    log.batches(1, limits::MAX_EVENT_BYTES - 64);
    let largest = vec![
        open_op("orders"),
        WriteOp::HardState(vote(1)),
        WriteOp::Append(log.all),
    ];
    store.writer.commit(&[request(1, largest)]).unwrap();
}

#[test]
fn what_was_committed_is_read_back_from_memory_from_segments_and_after_a_restart() {
    let dir = formatted();
    let mut log = Log::new();
    let vote = HardState {
        epoch_seen: Epoch::new(3, VoterId::from_bytes([7; 16])),
        voted_for: Some(VoterId::from_bytes([7; 16])),
        limbo: None,
    };
    {
        let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
        assert_eq!(store.boot, Boot::new(1));
        let group = [
            request(1, vec![open_op("orders"), WriteOp::HardState(vote)]),
            request(1, vec![WriteOp::Append(log.batches(5, 100))]),
        ];
        let report = store.writer.commit(&group).unwrap();
        assert!(report.refused.is_empty());
        let read = store.reader.read(channel_uid(1), Seq::new(3), 1).unwrap();
        assert_eq!(read.batches, log.all[2..3]);
        store.flusher.flush_all().unwrap();
        assert_eq!(store.reader.stats().pending_bytes, 0);
        let read = store
            .reader
            .read(channel_uid(1), Seq::new(2), 1 << 20)
            .unwrap();
        assert_eq!(read.batches, log.all[1..]);
        store
            .writer
            .commit(&[request(1, vec![WriteOp::Append(log.batches(3, 100))])])
            .unwrap();
    }
    let store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    assert_eq!(store.boot, Boot::new(2));
    assert_eq!(store.identity, identity());
    let [channel] = &store.channels[..] else {
        panic!("{:?}", store.channels)
    };
    assert_eq!(channel.name, "orders");
    assert_eq!(channel.hard_state, vote);
    assert_eq!(channel.tail, log.tail());
    assert_eq!(channel.halted, None);
    assert_eq!(channel.epochs.len(), 1);
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

#[test]
fn thousands_of_groups_go_through_recycled_files_and_survive_any_number_of_restarts() {
    let dir = formatted();
    let mut log = Log::new();
    for round in 0..4 {
        let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
        if round == 0 {
            store
                .writer
                .commit(&[request(1, vec![open_op("a")])])
                .unwrap();
        }
        for _ in 0..300 {
            let group = [request(1, vec![WriteOp::Append(log.batches(1, 600))])];
            loop {
                match store.writer.commit(&group) {
                    Ok(report) => break assert!(report.refused.is_empty(), "{report:?}"),
                    Err(GroupError::WalFull) => {
                        store.flusher.flush(u64::MAX).unwrap();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
    }
    let files = std::fs::read_dir(dir.path().join("wal")).unwrap().count();
    assert!(files <= small().wal_files_max + 1, "{files} WAL files");
}

#[test]
fn a_wal_file_is_kept_while_the_last_record_in_it_is_needed() {
    let dir = formatted();
    let mut log = Log::new();
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    let both = [
        request(1, vec![open_op("a")]),
        request(2, vec![open_op("b")]),
    ];
    store.writer.commit(&both).unwrap();
    for _ in 0..2 {
        let group = [request(1, vec![WriteOp::Append(log.batches(9, 10_000))])];
        store.writer.commit(&group).unwrap();
    }
    // A file is ready, everything so far is checkpointed, and the file has room for one vote.
    store.flusher.flush(u64::MAX).unwrap();
    store.flusher.flush_all().unwrap();
    let vote = HardState {
        epoch_seen: Epoch::new(9, VoterId::from_bytes([1; 16])),
        voted_for: None,
        limbo: None,
    };
    let group = [request(2, vec![WriteOp::HardState(vote)])];
    store.writer.commit(&group).unwrap();
    let group = [request(1, vec![WriteOp::Append(log.batches(10, 10_000))])];
    store.writer.commit(&group).unwrap();
    assert_eq!(store.reader.stats().wal_full, 1);
    let progress = store.flusher.flush(u64::MAX).unwrap();
    assert_eq!(progress.recycled, 1);
    drop(store);
    let store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    assert_eq!(store.channels[1].hard_state, vote);
}

#[test]
fn a_truncation_reaches_memory_segments_and_the_next_start() {
    let dir = formatted();
    let mut log = Log::new();
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    store
        .writer
        .commit(&[request(
            1,
            vec![open_op("a"), WriteOp::Append(log.batches(40, 3000))],
        )])
        .unwrap();
    store.flusher.flush_all().unwrap();
    assert!(store.reader.channel_stats(channel_uid(1)).unwrap().segments > 2);
    log.truncate(7);
    let more = log.batches(3, 200);
    store
        .writer
        .commit(&[request(
            1,
            vec![
                WriteOp::Truncate(log.all[6].position()),
                WriteOp::Append(more),
            ],
        )])
        .unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
    drop(store);
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    assert_eq!(store.channels[0].tail, log.tail());
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
    store.flusher.flush_all().unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
    drop(store);
    let store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

#[test]
fn one_group_may_truncate_what_it_appended_after_a_truncation() {
    let dir = formatted();
    let mut log = Log::new();
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    let first = vec![open_op("a"), WriteOp::Append(log.batches(4, 100))];
    store.writer.commit(&[request(1, first)]).unwrap();
    log.truncate(2);
    let low = WriteOp::Truncate(log.tail());
    let second = WriteOp::Append(log.batches(3, 100));
    let gone = log.all[4].position();
    log.truncate(3);
    let high = WriteOp::Truncate(log.tail());
    let third = WriteOp::Append(log.batches(2, 100));
    let report = store
        .writer
        .commit(&[
            request(1, vec![low, second]),
            request(1, vec![high, third]),
            request(1, vec![WriteOp::Truncate(gone)]),
        ])
        .unwrap();
    assert_eq!(report.refused, [(2, Refusal::UnknownPosition { at: gone })]);
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
    drop(store);
    let store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

#[test]
fn a_trim_drops_whole_segments_and_reads_before_it_say_so() {
    let dir = formatted();
    let mut log = Log::new();
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    store
        .writer
        .commit(&[request(
            1,
            vec![open_op("a"), WriteOp::Append(log.batches(40, 3000))],
        )])
        .unwrap();
    store.flusher.flush_all().unwrap();
    let retention = tetrarch_wire::Retention {
        max_bytes: Some(60_000),
        ..Default::default()
    };
    let upto = store
        .reader
        .retention_candidate(channel_uid(1), &retention, 0)
        .unwrap();
    store
        .writer
        .commit(&[request(1, vec![WriteOp::Trim { upto }])])
        .unwrap();
    store.flusher.flush(u64::MAX).unwrap();
    let start = store.reader.log_start(channel_uid(1)).unwrap();
    assert_eq!(start.seq, upto);
    assert!(matches!(
        store.reader.read(channel_uid(1), upto, 1),
        Err(ReadError::Trimmed { log_start }) if log_start == start
    ));
    drop(store);
    let store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    assert_eq!(store.channels[0].log_start, start);
    assert_eq!(store.channels[0].halted, None);
    let kept = log.all.iter().filter(|batch| batch.base_seq() > upto);
    let kept: Vec<_> = kept.cloned().collect();
    assert_eq!(read_all(&store.reader, channel_uid(1)), kept);
}

#[test]
fn a_deleted_channel_is_gone_at_once_and_its_files_wait_to_be_purged() {
    let dir = formatted();
    let mut log = Log::new();
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    store
        .writer
        .commit(&[request(
            1,
            vec![open_op("a"), WriteOp::Append(log.batches(3, 10))],
        )])
        .unwrap();
    store.flusher.flush_all().unwrap();
    store
        .writer
        .commit(&[request(1, vec![WriteOp::Delete])])
        .unwrap();
    assert!(matches!(
        store.reader.read(channel_uid(1), Seq::FIRST, 1),
        Err(ReadError::UnknownChannel)
    ));
    let report = store
        .writer
        .commit(&[request(1, vec![open_op("a")])])
        .unwrap();
    assert_eq!(report.refused, [(0, Refusal::Deleted)]);
    drop(store);
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    assert!(store.channels.is_empty() && store.lost.is_empty());
    store.flusher.flush(u64::MAX).unwrap();
    assert_eq!(
        std::fs::read_dir(dir.path().join("chan")).unwrap().count(),
        0
    );
    assert_eq!(store.flusher.purge_deleted().unwrap(), 1);
}

#[test]
fn a_refused_request_does_not_stop_the_others_of_its_group() {
    let dir = formatted();
    let mut log = Log::new();
    let mut other = Log::new();
    other.batches(1, 10);
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    let first = log.batches(2, 10);
    let report = store
        .writer
        .commit(&[
            request(1, vec![open_op("a")]),
            request(2, vec![WriteOp::Append(first.clone())]),
            request(
                1,
                vec![WriteOp::Append(first.clone()), WriteOp::Append(first)],
            ),
            request(1, vec![WriteOp::Append(log.all.clone())]),
            request(
                1,
                vec![WriteOp::Truncate(other.batches(3, 99)[2].position())],
            ),
            request(1, vec![WriteOp::Trim { upto: Seq::new(9) }]),
        ])
        .unwrap();
    let refused: Vec<usize> = report.refused.iter().map(|(index, _)| *index).collect();
    assert_eq!(refused, [1, 2, 4, 5]);
    assert_eq!(report.refused[0].1, Refusal::UnknownChannel);
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

#[test]
fn a_vote_cannot_be_taken_back() {
    let dir = formatted();
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    let voter = |byte| VoterId::from_bytes([byte; 16]);
    let state = |n, leader, vote: Option<u8>| {
        WriteOp::HardState(HardState {
            epoch_seen: Epoch::new(n, voter(leader)),
            voted_for: vote.map(voter),
            limbo: None,
        })
    };
    store
        .writer
        .commit(&[request(1, vec![open_op("a"), state(5, 0, Some(1))])])
        .unwrap();
    for (op, passes) in [
        (state(5, 0, Some(2)), false),
        (state(5, 1, Some(1)), true),
        (state(5, 1, None), false),
        (state(4, 9, None), false),
        (state(6, 0, None), true),
        (state(6, 0, Some(2)), true),
    ] {
        let report = store
            .writer
            .commit(&[request(1, vec![op.clone()])])
            .unwrap();
        assert_eq!(report.refused.is_empty(), passes, "{op:?}");
    }
}

#[test]
fn the_snapshot_is_replaced_whole() {
    let dir = formatted();
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    store
        .writer
        .commit(&[request(1, vec![open_op("a")])])
        .unwrap();
    for (seq, text) in [(4, "four"), (9, "nine")] {
        store
            .flusher
            .save_snapshot(channel_uid(1), 0, Seq::new(seq), text.as_bytes())
            .unwrap();
    }
    assert!(matches!(
        store
            .flusher
            .save_snapshot(channel_uid(2), 0, Seq::FIRST, b""),
        Err(LogError::UnknownChannel { .. })
    ));
    drop(store);
    let store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    assert_eq!(
        store.channels[0].snapshot,
        Some((Seq::new(9), "nine".into()))
    );
}

#[test]
fn a_directory_that_is_not_ours_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let opened = |options: StoreOptions| open(Arc::new(RealDisk), dir.path(), options);
    assert!(matches!(
        opened(small()),
        Err(LogError::NotFormatted { .. })
    ));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    format(&RealDisk, dir.path(), &identity()).unwrap();
    assert!(matches!(
        format(&RealDisk, dir.path(), &identity()),
        Err(LogError::AlreadyFormatted { .. })
    ));
    let other = StoreOptions {
        expect_node: Some(NodeId::from_bytes([9; 16])),
        ..small()
    };
    assert!(matches!(opened(other), Err(LogError::WrongNode { .. })));
    let held = opened(small()).unwrap();
    assert!(matches!(opened(small()), Err(LogError::InUse { .. })));
    drop(held);
    assert!(opened(small()).is_ok());
    let full = tempfile::tempdir().unwrap();
    std::fs::write(full.path().join("notes.txt"), "x").unwrap();
    assert!(matches!(
        format(&RealDisk, full.path(), &identity()),
        Err(LogError::NotEmpty { found, .. }) if found == "notes.txt"
    ));
}

#[test]
fn a_large_group_is_taken_while_so_little_waits_that_the_flusher_leaves_it_there() {
    let dir = formatted();
    let options = StoreOptions {
        pending_max_bytes: 64 * 1024,
        flush_trigger_bytes: 48 * 1024,
        ..small()
    };
    let mut store = open(Arc::new(RealDisk), dir.path(), options).unwrap();
    let mut log = Log::new();
    let birth = vec![open_op("a"), WriteOp::Append(log.batches(1, 10_000))];
    store.writer.commit(&[request(1, birth)]).unwrap();
    let large = |log: &mut Log| [request(1, vec![WriteOp::Append(log.batches(1, 60_000))])];
    store.writer.commit(&large(&mut log)).unwrap();
    let next = large(&mut log);
    let full = store.writer.commit(&next).unwrap_err();
    assert!(matches!(full, GroupError::WalFull), "{full}");
    store.flusher.flush(u64::MAX).unwrap();
    store.writer.commit(&next).unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}
