//! Making forks, again and again, and under every hindrance.

use std::path::Path;

use rustix::io::Errno;
use tetrarch_wire::{ForkId, LogPosition, Seq, limits};

use super::{DIR, append, cut, fork_file, is_intact, named, opened, position, read, sample, seal};
use crate::tests::{Log, channel_uid, open_op, read_all, request};
use crate::{Disk, Failure, LogError, SealError, Sealed, WriteOp, verify};

#[test]
fn what_is_sealed_stays_when_the_log_is_cut_written_trimmed_and_started_again() {
    for count in [0, 4, 20, 27, 29] {
        let (disk, mut store, mut log) = sample();
        let before = log.clone();
        let fork = seal(&mut store, &log, count);
        assert_eq!(fork.base, position(&log, count));
        assert_eq!(fork.end, log.tail());
        assert_eq!(fork.events, 30 - count as u64);
        assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
        cut(&mut store, &mut log, count);
        append(&mut store, &mut log, 20);
        store.flusher.flush_all().unwrap();
        assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
        let upto = log.tail().seq;
        let trim = request(1, vec![WriteOp::Trim { upto }]);
        store.writer.commit(&[trim]).unwrap();
        store.flusher.flush_all().unwrap();
        assert_eq!(read(&store, &fork), before.all[count..]);
        drop(store);
        assert!(is_intact(&disk));
        let store = opened(&disk.crash(&mut |_| 0));
        assert_eq!(
            store.reader.forks(channel_uid(1)),
            std::slice::from_ref(&fork)
        );
        assert_eq!(read(&store, &fork), before.all[count..]);
        let stats = store.reader.channel_stats(channel_uid(1)).unwrap();
        assert_eq!((stats.forks, stats.fork_bytes), (1, fork.bytes));
    }
}

#[test]
fn the_same_suffix_is_sealed_once_and_a_longer_one_is_another_fork() {
    let (disk, mut store, mut log) = sample();
    let first = seal(&mut store, &log, 12);
    let steps = disk.steps();
    assert_eq!(seal(&mut store, &log, 12), first);
    assert_eq!(disk.steps(), steps, "nothing is written");
    drop(store);
    let mut store = opened(&disk);
    assert_eq!(seal(&mut store, &log, 12), first);
    append(&mut store, &mut log, 1);
    let longer = seal(&mut store, &log, 12);
    assert_ne!(longer.id, first.id);
    assert_eq!(store.reader.forks(channel_uid(1)).len(), 2);
    assert_eq!(read(&store, &longer), log.all[12..]);
}

#[test]
fn a_fork_that_is_damaged_is_made_anew() {
    let (disk, mut store, log) = sample();
    let fork = seal(&mut store, &log, 12);
    let path = fork_file(&fork);
    let epochs = 192 + fork.bytes;
    for starts_again in [false, true] {
        for at in [
            20,
            60,
            191,
            192,
            1_000,
            epochs - 1,
            epochs,
            epochs + 47,
            u64::MAX,
        ] {
            match at {
                u64::MAX => disk.lose(&path),
                1_000 => disk.shorten(&path, at),
                _ => disk.flip(&path, at, 4),
            }
            assert_eq!(verify_forks(&disk, &mut store, starts_again), 1, "{at}");
            assert_eq!(seal(&mut store, &log, 12), fork);
            assert_eq!(store.reader.damaged_forks(), []);
            assert_eq!(read(&store, &fork), log.all[12..]);
            assert_eq!(verify_forks(&disk, &mut store, true), 0);
        }
    }
}

/// How many forks are damaged, as seen from outside. A fork that is gone is not seen.
fn verify_forks(disk: &crate::CrashDisk, store: &mut super::Store, starts_again: bool) -> usize {
    let left = disk.crash(&mut |_| 1);
    let report = verify(&left, Path::new(DIR)).unwrap();
    let gone = 1 - report.forks;
    if starts_again {
        // The one before lets go of the directory first.
        let elsewhere = opened(&left);
        drop(std::mem::replace(store, elsewhere));
        *store = opened(disk);
    }
    report.findings.len() + gone
}

#[test]
fn only_a_position_that_the_log_holds_can_be_sealed_after() {
    let (disk, mut store, mut log) = sample();
    let tail = log.tail();
    let sealed = |store: &mut super::Store, after: LogPosition| {
        store.flusher.seal(channel_uid(1), after, u64::MAX)
    };
    assert_eq!(sealed(&mut store, tail).unwrap(), Sealed::Nothing);
    let beyond = LogPosition {
        seq: tail.seq.next(),
        ..tail
    };
    let other_epoch = LogPosition {
        epoch: tetrarch_wire::Epoch::NONE,
        ..position(&log, 12)
    };
    let other_link = LogPosition {
        link: tail.link,
        ..position(&log, 12)
    };
    let other_tail = LogPosition {
        link: position(&log, 12).link,
        ..tail
    };
    for after in [beyond, other_epoch, other_link, other_tail] {
        let error = sealed(&mut store, after).unwrap_err();
        assert!(matches!(error, SealError::UnknownPosition { at } if at == after));
    }
    let unknown = store.flusher.seal(channel_uid(9), tail, u64::MAX);
    assert!(matches!(unknown, Err(SealError::UnknownChannel)));
    append(&mut store, &mut log, 1);
    let upto = Seq::new(20);
    let trim = request(1, vec![WriteOp::Trim { upto }]);
    store.writer.commit(&[trim]).unwrap();
    store.flusher.flush_all().unwrap();
    let error = sealed(&mut store, position(&log, 2)).unwrap_err();
    assert!(
        matches!(error, SealError::UnknownPosition { .. }),
        "{error}"
    );
    // All that there is can be sealed.
    let start = store.reader.log_start(channel_uid(1)).unwrap();
    let Sealed::Whole(fork) = sealed(&mut store, start).unwrap() else {
        panic!("it is not whole");
    };
    let kept = log
        .all
        .partition_point(|batch| batch.last_seq() <= start.seq);
    assert!(kept > 0 && read(&store, &fork) == log.all[kept..]);
    assert_eq!(named(&disk, ".tmp"), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn nothing_is_sealed_if_a_batch_cannot_be_read() {
    let (disk, mut store, log) = sample();
    let segment = &named(&disk, ".log")[1];
    disk.flip(segment, 700, 1);
    let error = store
        .flusher
        .seal(channel_uid(1), position(&log, 2), u64::MAX);
    let error = error.unwrap_err();
    assert!(matches!(error, SealError::Damaged(_)), "{error}");
    assert!(named(&disk, "fork-").is_empty());
    // What lies before the position is of no concern, nor is what can be read.
    let fork = seal(&mut store, &log, 20);
    assert_eq!(read(&store, &fork), log.all[20..]);
    disk.flip(segment, 700, 1);
    let fork = seal(&mut store, &log, 2);
    assert_eq!(read(&store, &fork), log.all[2..]);
}

#[test]
fn much_is_sealed_in_pieces_and_anew_if_the_log_goes_on_meanwhile() {
    let (disk, mut store, mut log) = sample();
    let after = position(&log, 3);
    let mut calls = 0;
    let fork = loop {
        calls += 1;
        match store.flusher.seal(channel_uid(1), after, 1).unwrap() {
            Sealed::Whole(fork) => break fork,
            Sealed::Begun { upto, end } => {
                assert!(upto.seq < end.seq && end == log.tail());
                if calls == 2 {
                    append(&mut store, &mut log, 3);
                }
                store.flusher.flush(u64::MAX).unwrap();
            }
            Sealed::Nothing => panic!("there is something"),
        }
        assert!(calls < 50);
    };
    assert!(calls > 3, "{calls}");
    assert_eq!(fork.end, log.tail());
    assert_eq!(read(&store, &fork), log.all[3..]);
    assert!(named(&disk, ".tmp").is_empty());
    // What is there is looked at in pieces, too.
    drop(store);
    let mut store = opened(&disk);
    let again = store.flusher.seal(channel_uid(1), after, 1).unwrap();
    assert!(matches!(again, Sealed::Begun { .. }), "{again:?}");
    cut(&mut store, &mut log, 3);
    let again = store.flusher.seal(channel_uid(1), after, 1).unwrap();
    assert_eq!(again, Sealed::Nothing);
}

/// Whatever is committed in the middle of it: the fork is what the log was, or there is none.
#[test]
fn a_log_that_changes_under_it_is_not_sealed_wrongly() {
    let mut outcomes = std::collections::BTreeMap::<String, usize>::new();
    for step in 0..12 {
        for truncates in [false, true] {
            let (disk, mut store, mut log) = sample();
            let before = log.clone();
            let mut writer = store.writer;
            let mut ops = Vec::new();
            if truncates {
                log.truncate(6);
                ops.push(WriteOp::Truncate(log.tail()));
            }
            ops.push(WriteOp::Append(log.batches(40, 220)));
            disk.interrupt_at(disk.steps() + step, move || {
                writer.commit(&[request(1, ops)]).unwrap();
            });
            let after = position(&before, 3);
            let sealed = store.flusher.seal(channel_uid(1), after, u64::MAX);
            disk.never_mind();
            let outcome = match sealed {
                Ok(Sealed::Whole(fork)) => {
                    let (read, _) = super::read_fork_on(&store.reader, channel_uid(1), &fork);
                    assert_eq!(read, before.all[3..]);
                    "whole".to_owned()
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert!(named(&disk, "fork-").is_empty());
                    error.to_string()
                }
            };
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    assert!(
        outcomes.len() == 2 && outcomes.contains_key("whole"),
        "{outcomes:?}"
    );
}

#[test]
fn a_full_disk_leaves_nothing_behind_and_it_works_when_there_is_room() {
    for fails_after in [0, 100, 4_096] {
        let (disk, mut store, log) = sample();
        let after = position(&log, 3);
        disk.fail_next_write("fork-", fails_after, Errno::NOSPC.raw_os_error());
        let error = store
            .flusher
            .seal(channel_uid(1), after, u64::MAX)
            .unwrap_err();
        let SealError::Store(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.failure(), Failure::StorageFull);
        assert!(named(&disk, "fork-").is_empty());
        assert_eq!(store.reader.forks(channel_uid(1)), []);
        let fork = seal(&mut store, &log, 3);
        assert_eq!(read(&store, &fork), log.all[3..]);
    }
}

#[test]
fn a_failed_sync_ends_the_store() {
    let (disk, mut store, log) = sample();
    disk.fail_next_sync("fork-");
    let after = position(&log, 3);
    for _ in 0..2 {
        let error = store
            .flusher
            .seal(channel_uid(1), after, u64::MAX)
            .unwrap_err();
        let SealError::Store(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.failure(), Failure::Fatal);
    }
    assert!(store.reader.stats().poisoned.is_some());
}

#[test]
fn there_is_a_bound_and_what_is_there_counts_though_it_is_damaged() {
    let (disk, mut store, mut log) = sample();
    let first = seal(&mut store, &log, 29);
    drop(store);
    for number in 1..limits::MAX_FORKS {
        let mut id = [9; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        let id = ForkId::from_bytes(id);
        let name = fork_file(&first).with_file_name(format!("fork-{id}"));
        disk.create(&name).unwrap();
    }
    let mut store = opened(&disk);
    assert_eq!(store.reader.damaged_forks().len(), limits::MAX_FORKS - 1);
    append(&mut store, &mut log, 1);
    let after = position(&log, 29);
    let sealed = store.flusher.seal(channel_uid(1), after, u64::MAX);
    let error = sealed.unwrap_err();
    assert!(matches!(error, SealError::TooManyForks { .. }), "{error}");
    let (_, damaged, _) = store.reader.damaged_forks()[0];
    assert!(store.flusher.drop_fork(channel_uid(1), damaged).unwrap());
    seal(&mut store, &log, 29);
}

#[test]
fn a_fork_is_dropped_for_good_and_goes_with_its_channel() {
    let (disk, mut store, mut log) = sample();
    let first = seal(&mut store, &log, 25);
    cut(&mut store, &mut log, 25);
    let dropped = store.flusher.drop_fork(channel_uid(1), first.id);
    assert!(dropped.unwrap());
    assert!(!store.flusher.drop_fork(channel_uid(1), first.id).unwrap());
    assert_eq!(store.reader.forks(channel_uid(1)), []);
    assert!(named(&disk.crash(&mut |_| 0), "fork-").is_empty());
    let unknown = store.flusher.drop_fork(channel_uid(9), first.id);
    assert!(matches!(unknown, Err(LogError::UnknownChannel { .. })));
    let second = seal(&mut store, &log, 20);
    disk.flip(&fork_file(&second), 300, 1);
    assert!(
        store
            .reader
            .read_fork(channel_uid(1), second.id, Seq::new(21), 9)
            .is_err()
    );
    let delete = request(1, vec![WriteOp::Delete]);
    store.writer.commit(&[delete]).unwrap();
    assert_eq!(store.reader.damaged_forks(), []);
    store.flusher.flush_all().unwrap();
    let [kept] = &named(&disk, "fork-")[..] else {
        panic!("it goes with its channel");
    };
    assert!(kept.starts_with("/store/deleted"), "{kept:?}");
    store.flusher.purge_deleted().unwrap();
    assert!(named(&disk, "fork-").is_empty());
}

#[test]
fn a_channel_without_files_gets_them_first_and_what_is_unfinished_goes_at_a_start() {
    let (disk, mut store, _) = sample();
    let mut log = Log::numbered(2);
    let whole = vec![open_op("b"), WriteOp::Append(log.batches(6, 200))];
    store.writer.commit(&[request(2, whole)]).unwrap();
    let after = position(&log, 2);
    let begun = store.flusher.seal(channel_uid(2), after, 1).unwrap();
    assert!(matches!(begun, Sealed::Begun { .. }), "{begun:?}");
    assert_eq!(named(&disk, ".tmp").len(), 1);
    drop(store);
    let disk = disk.crash(&mut |_| 1);
    let mut store = opened(&disk);
    assert!(named(&disk, ".tmp").is_empty());
    let sealed = store.flusher.seal(channel_uid(2), after, u64::MAX).unwrap();
    let Sealed::Whole(fork) = sealed else {
        panic!("{sealed:?}");
    };
    drop(store);
    let store = opened(&disk.crash(&mut |_| 0));
    assert_eq!(store.reader.forks(channel_uid(2)), [fork]);
}
