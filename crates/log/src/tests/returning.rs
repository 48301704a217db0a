//! A store lets go of a channel and takes it up again.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tetrarch_wire::{LogPosition, Seq};

use super::{Log, channel_uid, identity, open_op, read_all, request, small, vote};
use crate::{
    CrashDisk, Holding, LogError, OpenedStore, ReadError, RealDisk, Refusal, WriteOp, format, open,
};

const DIR: &str = "/store";

fn started(disk: &CrashDisk) -> OpenedStore<CrashDisk> {
    open(Arc::new(disk.clone()), Path::new(DIR), small()).unwrap()
}

/// A store that has let go of a channel with a vote and five batches, and where its log ended.
fn released(disk: &CrashDisk, is_flushed: bool) -> (OpenedStore<CrashDisk>, LogPosition) {
    format(disk, Path::new(DIR), &identity()).unwrap();
    let mut log = Log::new();
    let ops = vec![
        open_op("a"),
        WriteOp::HardState(vote(3)),
        WriteOp::Append(log.batches(5, 900)),
    ];
    let mut store = started(disk);
    commit(&mut store, ops);
    if is_flushed {
        store.flusher.flush_all().unwrap();
        let saved = store
            .flusher
            .save_snapshot(channel_uid(1), 0, Seq::new(5), b"x");
        saved.unwrap();
    }
    commit(&mut store, vec![WriteOp::Release]);
    (store, log.tail())
}

fn commit(store: &mut OpenedStore<CrashDisk>, ops: Vec<WriteOp>) {
    assert_eq!(refused(store, ops), None);
}

fn refused(store: &mut OpenedStore<CrashDisk>, ops: Vec<WriteOp>) -> Option<Refusal> {
    let report = store.writer.commit(&[request(1, ops)]).unwrap();
    report
        .refused
        .into_iter()
        .next()
        .map(|(_, refusal)| refusal)
}

fn is_released(store: &OpenedStore<CrashDisk>, end: LogPosition) {
    let expected = Holding::Released {
        hard_state: vote(3),
        reached: end,
        releases: 1,
        halted: None,
    };
    assert_eq!(store.reader.holding(channel_uid(1)), expected);
    assert_eq!(store.reader.channels(), []);
    assert_eq!(store.reader.released(), [channel_uid(1)]);
}

#[test]
fn the_events_go_and_the_promise_stays() {
    for is_flushed in [false, true] {
        let disk = CrashDisk::new();
        let (mut store, end) = released(&disk, is_flushed);
        is_released(&store, end);
        let read = store.reader.read(channel_uid(1), Seq::FIRST, 1);
        assert!(
            matches!(read, Err(ReadError::BeyondTail { .. })),
            "{read:?}"
        );
        store.flusher.flush(u64::MAX).unwrap();
        let files = disk.files();
        let names = files.iter().map(|(path, _)| path.to_string_lossy());
        let left: Vec<_> = names.filter(|name| name.contains("/chan/")).collect();
        assert_eq!(left.len(), 2, "the two copies of its state: {left:?}");
        drop(store);
        is_released(&started(&disk.killed()), end);
    }
}

#[test]
fn nothing_is_taken_until_it_is_taken_up_again_and_then_it_begins_anew() {
    let disk = CrashDisk::new();
    let (mut store, end) = released(&disk, true);
    let mut log = Log::new();
    for op in [
        WriteOp::HardState(vote(4)),
        WriteOp::Append(log.batches(1, 10)),
        WriteOp::Release,
    ] {
        assert_eq!(refused(&mut store, vec![op]), Some(Refusal::Released));
    }
    let vote_again = vec![WriteOp::TakeUp, WriteOp::HardState(vote(2))];
    let why = refused(&mut store, vote_again);
    assert_eq!(why, Some(Refusal::HardStateRegressed));
    for again in [open_op("a"), WriteOp::TakeUp] {
        let is_new = matches!(again, WriteOp::Open { .. });
        let why = refused(&mut store, vec![again]);
        assert_eq!(why, is_new.then_some(Refusal::Released));
    }
    let why = refused(&mut store, vec![WriteOp::TakeUp]);
    assert_eq!(why, Some(Refusal::AlreadyOpen));
    commit(&mut store, vec![WriteOp::Append(log.all.clone())]);
    for is_flushed in [false, true] {
        // Once with the records of both holdings in the log, once without.
        drop(store);
        store = started(&disk.killed());
        let found = &store.channels[0];
        assert!(found.is_held && found.snapshot.is_none(), "{found:?}");
        assert_eq!((found.hard_state, found.reached), (vote(3), end));
        assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
        if !is_flushed {
            store.flusher.flush_all().unwrap();
        }
    }
}

#[test]
fn a_channel_that_it_let_go_of_may_be_deleted() {
    let disk = CrashDisk::new();
    let (mut store, _) = released(&disk, true);
    commit(&mut store, vec![WriteOp::Delete]);
    store.flusher.flush(u64::MAX).unwrap();
    assert_eq!(store.reader.holding(channel_uid(1)), Holding::Never);
    let why = refused(&mut store, vec![open_op("a")]);
    assert_eq!(why, Some(Refusal::Deleted));
    drop(store);
    let store = started(&disk.killed());
    assert!(store.channels.is_empty() && store.lost.is_empty());
}

/// It was on its way when the store let go.
#[test]
fn a_snapshot_of_an_earlier_holding_is_not_kept() {
    let disk = CrashDisk::new();
    let (mut store, _) = released(&disk, true);
    let save = |store: &mut OpenedStore<CrashDisk>, holding| {
        let flusher = &mut store.flusher;
        flusher.save_snapshot(channel_uid(1), holding, Seq::new(5), b"x")
    };
    let error = save(&mut store, 0).unwrap_err();
    assert!(matches!(error, LogError::UnknownChannel { .. }), "{error}");
    let mut log = Log::new();
    let ops = vec![WriteOp::TakeUp, WriteOp::Append(log.batches(2, 10))];
    commit(&mut store, ops);
    let error = save(&mut store, 0).unwrap_err();
    assert!(matches!(error, LogError::OtherHolding { .. }), "{error}");
    // One that its log may begin with is.
    save(&mut store, 1).unwrap();
}

/// What comes back may begin earlier than what went.
#[test]
fn where_a_log_began_before_it_was_let_go_of_binds_nobody() {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut store = started(&disk);
    let position = |seq| LogPosition {
        seq: Seq::new(seq),
        ..Log::new().tail()
    };
    let begun = |seq| WriteOp::Begin(position(seq));
    commit(&mut store, vec![open_op("a"), begun(9)]);
    let why = refused(&mut store, vec![begun(9)]);
    let (at, log_start) = (Seq::new(9), Seq::new(9));
    assert_eq!(why, Some(Refusal::BeginsBackwards { at, log_start }));
    let again = || vec![WriteOp::Release, WriteOp::TakeUp, begun(4)];
    let earlier = [again(), vec![WriteOp::Truncate(Log::new().tail())]].concat();
    let at = Log::new().tail();
    let why = refused(&mut store, earlier);
    assert_eq!(why, Some(Refusal::UnknownPosition { at }));
    commit(&mut store, again());
    assert_eq!(store.reader.tail(channel_uid(1)), Some(position(4)));
}

/// Where the trim ends the log of before is no place in that of now.
#[test]
fn what_is_let_go_of_while_it_is_trimmed_comes_back_whole() {
    let mut meanwhile = 0;
    for steps in 0.. {
        let disk = CrashDisk::new();
        format(&disk, Path::new(DIR), &identity()).unwrap();
        let mut store = started(&disk);
        let mut log = Log::new();
        let ops = vec![open_op("a"), WriteOp::Append(log.batches(90, 900))];
        commit(&mut store, ops);
        store.flusher.flush_all().unwrap();
        let upto = log.tail().seq;
        commit(&mut store, vec![WriteOp::Trim { upto }]);
        let mut again = Log::new();
        let back = WriteOp::Append(again.batches(3, 20));
        let group = [request(1, vec![WriteOp::Release, WriteOp::TakeUp, back])];
        let writer = Arc::new(Mutex::new(store.writer));
        let of_other = Arc::clone(&writer);
        let last = disk.steps() + steps;
        disk.interrupt_at(last, move || {
            of_other.lock().unwrap().commit(&group).unwrap();
        });
        store.flusher.flush(u64::MAX).unwrap();
        if disk.steps() <= last {
            let gone = store.reader.read(channel_uid(1), Seq::FIRST, 1);
            assert!(matches!(gone, Err(ReadError::Trimmed { .. })), "{gone:?}");
            break;
        }
        meanwhile += 1;
        assert_eq!(read_all(&store.reader, channel_uid(1)), again.all);
        store.flusher.flush_all().unwrap();
        assert_eq!(read_all(&store.reader, channel_uid(1)), again.all);
    }
    assert!(meanwhile > 5, "{meanwhile}");
}

/// A replay may gather both in one group.
#[test]
fn what_comes_back_in_one_group_may_be_cut_to_its_beginning_and_no_further_back() {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut store = started(&disk);
    let mut first = Log::new();
    let ops = vec![open_op("a"), WriteOp::Append(first.batches(3, 40))];
    commit(&mut store, ops);
    let mut log = Log::new();
    let batches = log.batches(4, 20);
    let origin = Log::new().tail();
    let again = |at| {
        vec![
            WriteOp::Release,
            WriteOp::TakeUp,
            WriteOp::Append(batches.clone()),
            WriteOp::Truncate(at),
        ]
    };
    let held_before = first.all[1].position();
    let why = refused(&mut store, again(held_before));
    assert_eq!(why, Some(Refusal::UnknownPosition { at: held_before }));
    commit(&mut store, again(origin));
    assert_eq!(store.reader.tail(channel_uid(1)), Some(origin));
}

#[test]
fn the_channels_of_the_mesh_itself_stay() {
    let dir = tempfile::tempdir().unwrap();
    format(&RealDisk, dir.path(), &identity()).unwrap();
    let mut store = open(Arc::new(RealDisk), dir.path(), small()).unwrap();
    let group = [
        request(1, vec![open_op("__meta")]),
        request(1, vec![WriteOp::Release]),
    ];
    let report = store.writer.commit(&group).unwrap();
    assert_eq!(report.refused, [(1, Refusal::Protected)]);
}
