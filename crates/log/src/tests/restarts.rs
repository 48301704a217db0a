//! Stops at the worst moment, each in plain words. Every one of them has once lost something that
//! was acknowledged, brought back something that was gone, halted a channel that nothing was wrong
//! with, or kept a store from starting.

use std::io::IoSlice;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::io::Errno;
use tetrarch_wire::Seq;

use super::{Log, channel_uid, identity, open_op, read_all, request, small, vote};
use crate::enumeration::sizes::tiny;
use crate::{
    CrashDisk, GroupError, LogError, OpenedStore, StoreOptions, WriteOp, WriteRequest, format,
    open, verify,
};

const DIR: &str = "/store";

type Store = OpenedStore<CrashDisk>;

fn formatted() -> CrashDisk {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    disk
}

fn opened_with(disk: &CrashDisk, options: StoreOptions) -> Store {
    let store = open(Arc::new(disk.clone()), Path::new(DIR), options).unwrap();
    assert_eq!(store.lost, []);
    assert!(store.channels.iter().all(|found| found.halted.is_none()));
    store
}

fn opened(disk: &CrashDisk) -> Store {
    opened_with(disk, tiny())
}

/// The disk after a power cut that lost everything that was not synced.
fn lost(disk: &CrashDisk) -> CrashDisk {
    disk.crash(&mut |_| 0)
}

/// The disk after a power cut that kept everything that was written.
fn kept(disk: &CrashDisk) -> CrashDisk {
    disk.crash(&mut |_| 1)
}

fn append(channel: u8, log: &mut Log, count: usize, size: usize) -> WriteRequest {
    request(channel, vec![WriteOp::Append(log.batches(count, size))])
}

/// A store with one channel of `count` batches, none of them in segments. Its name is so long that
/// its state takes more than a sector: such a one can be torn.
fn store_with(log: &mut Log, count: usize) -> (CrashDisk, Store) {
    let disk = formatted();
    let mut store = opened(&disk);
    commit(&mut store, &[request(1, vec![open_op(&"a".repeat(480))])]);
    for _ in 0..count {
        commit(&mut store, &[append(1, log, 1, 900)]);
    }
    (disk, store)
}

fn commit(store: &mut Store, group: &[WriteRequest]) {
    loop {
        match store.writer.commit(group) {
            Ok(report) => return assert_eq!(report.refused, []),
            Err(GroupError::WalFull) => drop(store.flusher.flush(u64::MAX).unwrap()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Kills the process at every step of `work`. The next one goes on with what it can read, durable
/// or not, and then the power fails and takes everything that was not synced.
fn killed_anywhere(
    prepare: impl Fn(&mut Store),
    work: impl Fn(&mut Store) -> Result<(), LogError>,
    after: impl Fn(&mut Store),
    check: impl Fn(&Store),
) {
    for step in 0.. {
        let disk = formatted();
        let mut store = opened(&disk);
        prepare(&mut store);
        disk.cut_power_at(disk.steps() + step);
        let done = work(&mut store).is_ok();
        drop(store);
        disk.cut_power_at(u64::MAX);
        let mut store = opened(&disk);
        after(&mut store);
        check(&store);
        drop(store);
        check(&opened(&lost(&disk)));
        if done {
            return;
        }
    }
}

#[test]
fn a_channel_born_where_one_replayed_group_ends_keeps_what_follows_its_birth() {
    let disk = formatted();
    let mut store = opened_with(&disk, small());
    let (mut first, mut second) = (Log::numbered(1), Log::numbered(2));
    let limit = store.writer.group_limit();
    let birth = request(2, vec![open_op("b")]);
    let mut bytes = 0;
    let mut fill = |request: WriteRequest| {
        bytes += request.encoded_len();
        commit(&mut store, &[request]);
        limit - bytes
    };
    let mut room = fill(request(1, vec![open_op("a")]));
    while room >= 20_000 {
        room = fill(append(1, &mut first, 1, 10_000));
    }
    let hints = |count| request(1, vec![WriteOp::CommitHint(Seq::FIRST); count]);
    let count = (room - birth.encoded_len()) / hints(1).encoded_len() + 1;
    room = fill(hints(count));
    assert!(room < birth.encoded_len());
    commit(&mut store, &[birth]);
    let promised = [
        append(2, &mut second, 3, 100),
        request(2, vec![WriteOp::HardState(vote(3))]),
    ];
    commit(&mut store, &promised);
    drop(store);
    let store = opened_with(&disk, small());
    assert_eq!(read_all(&store.reader, channel_uid(2)), second.all);
    assert_eq!(store.channels[1].hard_state, vote(3));
}

#[test]
fn a_commit_in_the_middle_of_a_checkpoint_does_not_hide_what_the_next_one_must_do() {
    let disk = formatted();
    let OpenedStore {
        mut writer,
        mut flusher,
        reader,
        ..
    } = opened(&disk);
    let (mut first, mut second) = (Log::numbered(1), Log::numbered(2));
    let group = [
        request(1, vec![open_op("a")]),
        append(1, &mut first, 1, 100),
        request(2, vec![open_op("b")]),
        append(2, &mut second, 1, 100),
    ];
    writer.commit(&group).unwrap();
    // The first channel's work is taken, that of the second is not.
    let writer = Arc::new(Mutex::new(writer));
    let meanwhile = Arc::clone(&writer);
    let group = [append(1, &mut first, 1, 100)];
    disk.interrupt_at(disk.steps(), move || {
        meanwhile.lock().unwrap().commit(&group).unwrap();
    });
    flusher.flush_all().unwrap();
    assert_eq!(read_all(&reader, channel_uid(1)), first.all);
    assert!(reader.stats().pending_bytes > 0);
    flusher.flush_all().unwrap();
    assert_eq!(reader.stats().pending_bytes, 0);
    assert_eq!(read_all(&reader, channel_uid(2)), second.all);
}

#[test]
fn a_channel_whose_first_checkpoint_was_cut_short_is_not_lost() {
    let log = || {
        let mut log = Log::new();
        let group = [request(1, vec![open_op("a")]), append(1, &mut log, 5, 900)];
        (group, log.all)
    };
    killed_anywhere(
        |store| commit(store, &log().0),
        |store| store.flusher.flush_all().map(drop),
        |_| (),
        |store| assert_eq!(read_all(&store.reader, channel_uid(1)), log().1),
    );
}

#[test]
fn a_deleted_channel_whose_removal_was_cut_short_does_not_come_back() {
    killed_anywhere(
        |store| {
            let mut log = Log::new();
            let group = [request(1, vec![open_op("a")]), append(1, &mut log, 5, 900)];
            commit(store, &group);
            store.flusher.flush_all().unwrap();
            // The WAL file with its beginning goes.
            commit(store, &[request(2, vec![open_op("b")])]);
            for _ in 0..9 {
                commit(store, &[request(2, vec![WriteOp::CommitHint(Seq::FIRST)])]);
            }
            store.flusher.flush(u64::MAX).unwrap();
            commit(store, &[request(1, vec![WriteOp::Delete])]);
        },
        |store| store.flusher.flush(u64::MAX).map(drop),
        |_| (),
        |store| assert!(store.reader.tail(channel_uid(1)).is_none()),
    );
}

#[test]
fn a_wal_file_whose_recycling_was_cut_short_is_neither_lost_nor_made_once_more() {
    let log = |count| {
        let mut log = Log::new();
        log.batches(count, 900);
        log.all
    };
    killed_anywhere(
        |store| {
            commit(store, &[request(1, vec![open_op("a")])]);
            store.flusher.flush(u64::MAX).unwrap();
            for batch in log(9) {
                let group = [request(1, vec![WriteOp::Append(vec![batch])])];
                commit(store, &group);
            }
        },
        |store| store.flusher.flush(u64::MAX).map(drop),
        |store| {
            store.flusher.flush(u64::MAX).unwrap();
            let group = [request(1, vec![WriteOp::Append(log(12)[9..].to_vec())])];
            commit(store, &group);
        },
        |store| assert_eq!(read_all(&store.reader, channel_uid(1)), log(12)),
    );
}

#[test]
fn a_power_cut_between_the_copies_of_a_checkpoint_and_one_in_the_next_lose_nothing() {
    for first in 0.. {
        let mut log = Log::new();
        let (disk, mut store) = store_with(&mut log, 3);
        store.flusher.flush_all().unwrap();
        commit(&mut store, &[append(1, &mut log, 2, 900)]);
        disk.cut_power_at(disk.steps() + first);
        let done = store.flusher.flush_all().is_ok();
        for second in 0..40 {
            let disk = kept(&disk);
            let mut log = log.clone();
            let mut store = opened(&disk);
            commit(&mut store, &[append(1, &mut log, 1, 900)]);
            disk.cut_power_at(disk.steps() + second);
            drop(store.flusher.flush_all());
            let torn = disk.crash(&mut |_| 2);
            assert_eq!(read_all(&opened(&torn).reader, channel_uid(1)), log.all);
        }
        if done {
            return;
        }
    }
}

#[test]
fn a_process_killed_between_the_copies_and_a_power_cut_in_the_next_checkpoint_lose_nothing() {
    for first in 0.. {
        let mut done = false;
        for second in 0..40 {
            let mut log = Log::new();
            let (disk, mut store) = store_with(&mut log, 3);
            store.flusher.flush_all().unwrap();
            commit(&mut store, &[append(1, &mut log, 2, 900)]);
            disk.cut_power_at(disk.steps() + first);
            done = store.flusher.flush_all().is_ok();
            drop(store);
            disk.cut_power_at(u64::MAX);
            let mut store = opened(&disk);
            commit(&mut store, &[append(1, &mut log, 1, 900)]);
            disk.cut_power_at(disk.steps() + second);
            drop(store.flusher.flush_all());
            let torn = disk.crash(&mut |outcomes| if outcomes == 3 { 2 } else { 0 });
            assert_eq!(read_all(&opened(&torn).reader, channel_uid(1)), log.all);
        }
        if done {
            return;
        }
    }
}

#[test]
fn a_trim_that_comes_after_a_truncation_does_not_remove_what_was_there_before_it() {
    let mut log = Log::new();
    let (disk, mut store) = store_with(&mut log, 12);
    store.flusher.flush_all().unwrap();
    // The segments still hold the old log when the trim is served.
    log.truncate(1);
    let cut = WriteOp::Truncate(log.tail());
    let group = [request(1, vec![cut, WriteOp::Append(log.batches(11, 100))])];
    commit(&mut store, &group);
    let trim = WriteOp::Trim { upto: Seq::new(10) };
    commit(&mut store, &[request(1, vec![trim])]);
    store.flusher.flush(u64::MAX).unwrap();
    for _ in 0..2 {
        assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
        drop(store);
        store = opened(&disk);
    }
    store.flusher.flush_all().unwrap();
    let start = store.reader.log_start(channel_uid(1)).unwrap();
    assert!(start.seq <= Seq::new(10));
    let whole = usize::try_from(start.seq.get()).unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all[whole..]);
}

#[test]
fn a_log_does_not_begin_earlier_again_because_its_directory_was_not_durable_yet() {
    for step in 0.. {
        let mut log = Log::new();
        let (disk, mut store) = store_with(&mut log, 5);
        let trim = WriteOp::Trim { upto: Seq::new(5) };
        commit(&mut store, &[request(1, vec![trim])]);
        disk.cut_power_at(disk.steps() + step);
        let done = store.flusher.flush_all().is_ok();
        let seen = store.reader.log_start(channel_uid(1)).unwrap();
        let store = opened(&lost(&disk));
        assert!(store.channels[0].log_start.seq >= seen.seq);
        if done {
            return assert!(seen.seq > Seq::ZERO);
        }
    }
}

#[test]
fn a_log_does_not_begin_earlier_again_because_only_a_truncation_had_made_its_checkpoint() {
    let mut log = Log::new();
    let disk = formatted();
    let mut store = opened(&disk);
    let birth = request(1, vec![open_op("a")]);
    commit(&mut store, &[birth, append(1, &mut log, 8, 900)]);
    store.flusher.flush(u64::MAX).unwrap();
    log.truncate(7);
    let cut = WriteOp::Truncate(log.tail());
    let group = [request(1, vec![cut, WriteOp::Append(log.batches(8, 900))])];
    commit(&mut store, &group);
    store.flusher.flush(u64::MAX).unwrap();
    let trim = WriteOp::Trim { upto: Seq::new(5) };
    commit(&mut store, &[request(1, vec![trim])]);
    store.flusher.flush(u64::MAX).unwrap();
    let seen = store.reader.log_start(channel_uid(1)).unwrap();
    let again = opened(&lost(&disk));
    assert!(again.channels[0].log_start.seq >= seen.seq);
    store.flusher.flush_all().unwrap();
    let seen = store.reader.log_start(channel_uid(1)).unwrap();
    assert!(seen.seq > Seq::ZERO);
}

#[test]
fn a_snapshot_is_kept_though_the_channel_had_only_a_directory() {
    let mut log = Log::new();
    let (disk, mut store) = store_with(&mut log, 3);
    // A checkpoint that found no room has made the directory, and nobody has synced its name.
    disk.fail_next_write("seg-", 0, Errno::NOSPC.raw_os_error());
    assert!(store.flusher.flush_all().is_err());
    store
        .flusher
        .save_snapshot(channel_uid(1), 0, Seq::new(3), b"snapshot")
        .unwrap();
    let store = opened(&lost(&disk));
    let kept = Some((Seq::new(3), "snapshot".into()));
    assert_eq!(store.channels[0].snapshot, kept);
}

#[test]
fn a_snapshot_that_a_start_has_shown_is_there_when_the_log_before_it_is_not() {
    let save = |store: &mut Store, seq| {
        let flusher = &mut store.flusher;
        flusher.save_snapshot(channel_uid(1), 0, Seq::new(seq), b"snapshot")
    };
    let mut trimmed = 0;
    for (first, second) in (0..8).flat_map(|first| (0..30).map(move |second| (first, second))) {
        let (disk, mut store) = store_with(&mut Log::new(), 12);
        store.flusher.flush_all().unwrap();
        save(&mut store, 1).unwrap();
        disk.cut_power_at(disk.steps() + first);
        drop(save(&mut store, 10));
        drop(store);
        disk.cut_power_at(u64::MAX);
        let mut store = opened(&disk);
        let (upto, _) = store.channels[0].snapshot.clone().unwrap();
        commit(&mut store, &[request(1, vec![WriteOp::Trim { upto }])]);
        disk.cut_power_at(disk.steps() + second);
        drop(store.flusher.flush_all());
        let found = &opened(&lost(&disk)).channels[0];
        let (kept, _) = found.snapshot.clone().unwrap();
        assert!(found.log_start.seq <= kept, "steps {first} and {second}");
        trimmed += usize::from(found.log_start.seq > Seq::ZERO);
    }
    assert!(trimmed > 10, "{trimmed}");
}

#[test]
fn a_wal_file_whose_number_could_not_be_noted_is_not_taken_for_a_rotten_one() {
    let disk = formatted();
    let mut store = opened(&disk);
    let mut log = Log::new();
    commit(&mut store, &[request(1, vec![open_op("a")])]);
    disk.fail_next_write("store.meta", 0, Errno::NOSPC.raw_os_error());
    assert!(store.flusher.flush(u64::MAX).is_err());
    for _ in 0..9 {
        commit(&mut store, &[append(1, &mut log, 1, 900)]);
    }
    store.flusher.flush_all().unwrap();
    drop(store);
    assert!(verify(&disk, Path::new(DIR)).unwrap().is_intact());
    assert_eq!(read_all(&opened(&disk).reader, channel_uid(1)), log.all);
}

#[test]
fn a_channel_that_is_deleted_once_more_by_a_start_that_had_to_make_room_is_gone() {
    let disk = formatted();
    let mut store = opened(&disk);
    store.flusher.flush(u64::MAX).unwrap();
    let (mut first, mut second) = (Log::numbered(1), Log::numbered(2));
    let births = [
        request(1, vec![open_op("a")]),
        request(2, vec![open_op("b")]),
    ];
    store.writer.commit(&births).unwrap();
    for round in 0..11 {
        let group = [append(1, &mut first, 2, 1500)];
        store.writer.commit(&group).unwrap();
        if round == 3 {
            store.flusher.flush(u64::MAX).unwrap();
        }
    }
    let group = [
        append(2, &mut second, 1, 900),
        request(1, vec![WriteOp::Delete]),
    ];
    store.writer.commit(&group).unwrap();
    // It is moved away, but there is no room for the checkpoint of the other.
    disk.fail_next_write("seg-", 0, Errno::NOSPC.raw_os_error());
    assert!(store.flusher.flush(u64::MAX).is_err());
    drop(store);
    for _ in 0..2 {
        let mut store = opened(&disk);
        assert!(store.reader.tail(channel_uid(1)).is_none());
        assert_eq!(read_all(&store.reader, channel_uid(2)), second.all);
        store.flusher.flush(u64::MAX).unwrap();
    }
}

#[test]
fn a_group_that_was_not_kept_does_not_come_back_though_it_could_not_be_removed() {
    for bytes in [0, 63, 64, 1000, 4096] {
        let mut log = Log::new();
        let (disk, mut store) = store_with(&mut log, 2);
        let before = log.all.clone();
        disk.fail_next_writes(".wal", 2, bytes, Errno::NOSPC.raw_os_error());
        let group = [append(1, &mut log, 1, 500)];
        let error = store.writer.commit(&group).unwrap_err();
        // Where it cannot be told, it is said that it cannot.
        if !matches!(error, GroupError::Fatal { .. }) {
            let store = opened(&kept(&disk));
            assert_eq!(read_all(&store.reader, channel_uid(1)), before, "{bytes}");
        }
        assert_eq!(matches!(error, GroupError::Fatal { .. }), bytes >= 1000);
    }
}

/// A power cut has brought back what was written to a file before it was removed.
fn bring_back(disk: &CrashDisk, path: &Path, bytes: &[u8]) {
    if !crate::Disk::exists(disk, path).unwrap() {
        let file = crate::Disk::create(disk, path).unwrap();
        crate::DiskFile::write_at(&file, &[IoSlice::new(bytes)], 0).unwrap();
    }
}

#[test]
fn a_group_that_was_not_kept_does_not_come_back_though_the_kernel_had_written_it_out_at_once() {
    for version in 0..3 {
        let mut log = Log::new();
        let (disk, mut store) = store_with(&mut log, 2);
        let before = log.all.clone();
        disk.fail_next_write(".wal", 4096, Errno::NOSPC.raw_os_error());
        let group = [append(1, &mut log, 1, 500)];
        let error = store.writer.commit(&group).unwrap_err();
        assert!(matches!(error, GroupError::StorageFull(_)), "{error}");
        let disk = disk.crash(&mut |outcomes| if outcomes == 3 { 0 } else { version });
        assert_eq!(read_all(&opened(&disk).reader, channel_uid(1)), before);
    }
}

#[test]
fn an_index_of_what_a_segment_held_before_a_truncation_does_no_harm() {
    let mut log = Log::new();
    let (disk, mut store) = store_with(&mut log, 0);
    let group = [append(1, &mut log, 1, 8), append(1, &mut log, 5, 1500)];
    commit(&mut store, &group);
    store.flusher.flush_all().unwrap();
    let index = format!("{DIR}/chan/{}/seg-{:020}.idx", channel_uid(1), 1);
    let index = Path::new(&index);
    let files = disk.files();
    let (_, old) = files.iter().find(|(path, _)| path == index).unwrap();
    log.truncate(1);
    let cut = WriteOp::Truncate(log.tail());
    let group = [request(1, vec![cut, WriteOp::Append(log.batches(3, 8))])];
    commit(&mut store, &group);
    // The old index points behind the end of the segment, and then into the middle of a batch.
    for count in [0, 12] {
        commit(&mut store, &[append(1, &mut log, count, 8)]);
        store.flusher.flush_all().unwrap();
        bring_back(&disk, index, old);
        drop(store);
        store = opened(&disk);
        for (seq, batch) in (1..).map(Seq::new).zip(&log.all) {
            let read = store.reader.read(channel_uid(1), seq, 1).unwrap();
            assert_eq!(read.batches, std::slice::from_ref(batch));
        }
    }
    drop(store);
    store = opened(&disk);
    log.truncate(4);
    let cut = WriteOp::Truncate(log.tail());
    commit(&mut store, &[request(1, vec![cut])]);
    store.reader.read(channel_uid(1), Seq::new(2), 1).unwrap();
    store.flusher.flush_all().unwrap();
    let stats = store.reader.channel_stats(channel_uid(1)).unwrap();
    assert_eq!(stats.halted, None);
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

#[test]
fn what_no_checkpoint_counts_does_not_stay_on_the_disk() {
    let mut found_more = 0;
    for step in 0.. {
        let mut log = Log::new();
        let (disk, mut store) = store_with(&mut log, 3);
        store.flusher.flush_all().unwrap();
        commit(&mut store, &[append(1, &mut log, 9, 900)]);
        disk.cut_power_at(disk.steps() + step);
        let done = store.flusher.flush_all().is_ok();
        let disk = kept(&disk);
        let segments = |disk: &CrashDisk| {
            let is_segment = |path: &Path| path.extension().is_some_and(|end| end == "log");
            let files = disk.files().into_iter();
            files
                .filter(|(path, _)| is_segment(path))
                .map(|(_, bytes)| bytes.len() as u64)
                .collect::<Vec<_>>()
        };
        let before = segments(&disk);
        let stats = opened(&disk).reader.channel_stats(channel_uid(1)).unwrap();
        let after = segments(&disk);
        assert_eq!(after.len(), stats.segments, "step {step}");
        assert_eq!(
            after.iter().sum::<u64>(),
            stats.segment_bytes,
            "step {step}"
        );
        found_more += usize::from(before != after);
        if done {
            return assert!(found_more > 3, "{found_more}");
        }
    }
}

#[test]
fn verify_does_not_call_a_channel_lost_that_the_next_start_makes_from_the_wal() {
    for step in 0.. {
        let mut log = Log::new();
        let (disk, mut store) = store_with(&mut log, 3);
        disk.cut_power_at(disk.steps() + step);
        let done = store.flusher.flush_all().is_ok();
        for outcome in 0..3 {
            let disk = disk.crash(&mut |_| outcome);
            let report = verify(&disk, Path::new(DIR)).unwrap();
            assert!(report.is_intact(), "step {step}: {report:?}");
            assert_eq!(read_all(&opened(&disk).reader, channel_uid(1)), log.all);
        }
        if done {
            return;
        }
    }
}
