//! Segments that are damaged are mended with batches of other replicas, whatever happened to them, and
//! whatever happens meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tetrarch_wire::{Batch, ChannelUid, LogPosition, Seq};

use super::{Log, channel_uid, identity, open_op, read_all, read_on, request, small};
use crate::{
    CrashDisk, LogError, Mended, OpenedStore, ReadError, StoreOptions, WriteOp, format, open,
    store::layout::segment_base, verify,
};

const DIR: &str = "/store";

type Store = OpenedStore<CrashDisk>;

fn opened(disk: &CrashDisk) -> Store {
    let options = StoreOptions {
        segment_bytes: 3_000,
        ..small()
    };
    open(Arc::new(disk.clone()), Path::new(DIR), options).unwrap()
}

/// A channel in several segments, all of it checkpointed.
fn sample() -> (CrashDisk, Log) {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut store = opened(&disk);
    let mut log = Log::numbered(1);
    let whole = vec![open_op("a"), WriteOp::Append(log.batches(40, 200))];
    store.writer.commit(&[request(1, whole)]).unwrap();
    store.flusher.flush_all().unwrap();
    drop(store);
    (disk, log)
}

fn segments(disk: &CrashDisk) -> Vec<PathBuf> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    let segments = files.filter(|path| path.extension().is_some_and(|end| end == "log"));
    segments.collect()
}

/// The one segment that is known to be damaged.
fn damaged(store: &Store) -> (ChannelUid, Seq) {
    let [one] = store.reader.damaged()[..] else {
        panic!("one segment is damaged");
    };
    one
}

/// How many new files of segments there are.
fn unfinished(disk: &CrashDisk) -> usize {
    let files = disk.files().into_iter().map(|(path, _)| path);
    let unfinished = files.filter(|path| path.extension().is_some_and(|end| end == "tmp"));
    unfinished.count()
}

/// The batches after a position, as another replica sends them: no more than `count` at a time.
fn sent(log: &Log, after: LogPosition, count: usize) -> Vec<Batch> {
    let from = log
        .all
        .partition_point(|batch| batch.last_seq() <= after.seq);
    log.all[from..].iter().take(count).cloned().collect()
}

/// Mends all that is damaged, and says how often another replica was asked.
fn mend_all(store: &mut Store, log: &Log) -> Result<usize, LogError> {
    let mut asked = 0;
    for (channel, base) in store.reader.damaged() {
        let mut given = Vec::new();
        while let Mended::Lacks { after, upto } = store.flusher.mend(channel, base, &given)? {
            given = sent(log, after, 3);
            assert!(
                given[0].last_seq() <= upto,
                "no more is asked for than it lacks"
            );
            asked += 1;
        }
    }
    Ok(asked)
}

/// Reads everything, so that all damage is known.
fn look(store: &Store) {
    let mut from = Seq::FIRST;
    let tail = store.reader.tail(channel_uid(1)).unwrap();
    while from <= tail.seq {
        from = match store.reader.read(channel_uid(1), from, 1) {
            Ok(read) => read.batches[0].last_seq().next(),
            Err(ReadError::Damaged(_)) => from.next(),
            Err(error) => panic!("{error}"),
        };
    }
}

fn harms() -> [fn(&CrashDisk, &Path); 4] {
    [
        |disk, path| disk.flip(path, 700, 1),
        |disk, path| disk.shorten(path, 900),
        |disk, path| disk.shorten(path, 3),
        |disk, path| disk.lose(path),
    ]
}

#[test]
fn whatever_happened_to_whichever_segment_is_mended_and_stays_so() {
    for which in 0..segments(&sample().0).len() {
        for harm in harms() {
            let (disk, mut log) = sample();
            let path = &segments(&disk)[which];
            harm(&disk, path);
            let mut store = opened(&disk);
            look(&store);
            assert_eq!(store.reader.damaged().len(), 1);
            assert!(read_on(&store.reader, channel_uid(1)).1.is_some());
            // The rest of the channel is as it was, and goes on.
            let more = request(1, vec![WriteOp::Append(log.batches(20, 200))]);
            store.writer.commit(&[more]).unwrap();
            store.flusher.flush(u64::MAX).unwrap();
            let asked = mend_all(&mut store, &log).unwrap();
            assert!((1..=5).contains(&asked), "asked {asked} times");
            assert_eq!(store.reader.damaged(), []);
            assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
            let more = request(1, vec![WriteOp::Append(log.batches(20, 200))]);
            store.writer.commit(&[more]).unwrap();
            store.flusher.flush_all().unwrap();
            drop(store);
            let found = verify(&disk, Path::new(DIR)).unwrap();
            assert!(found.findings.is_empty(), "{:?}", found.findings);
            let store = opened(&disk.crash(&mut |_| 0));
            assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
        }
    }
}

/// Only what is lacking is asked for.
#[test]
fn what_is_intact_of_a_damaged_segment_is_kept() {
    let (disk, log) = sample();
    disk.flip(&segments(&disk)[1], 700, 1);
    let mut store = opened(&disk);
    look(&store);
    let (channel, base) = damaged(&store);
    let Mended::Lacks { after, .. } = store.flusher.mend(channel, base, &[]).unwrap() else {
        panic!("a batch is lacking");
    };
    assert!(after.seq >= base, "the batches before it are intact");
    let given = sent(&log, after, 1);
    assert_eq!(
        store.flusher.mend(channel, base, &given).unwrap(),
        Mended::Whole
    );
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

#[test]
fn batches_of_another_history_do_not_mend_anything() {
    let (disk, log) = sample();
    disk.lose(&segments(&disk)[1]);
    let mut store = opened(&disk);
    let (channel, base) = damaged(&store);
    let mut other = Log::numbered(1);
    other.all = log.all.clone();
    let before = log.all.partition_point(|batch| batch.last_seq() < base);
    other.truncate(before);
    other.batches(40, 200);
    let given = sent(&other, other.all[before - 1].position(), 40);
    assert_eq!(
        store.flusher.mend(channel, base, &given).unwrap(),
        Mended::Contradicted
    );
    assert!(read_on(&store.reader, channel_uid(1)).1.is_some());
    mend_all(&mut store, &log).unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

/// More than what it lacks is no contradiction: it has the first batches already.
#[test]
fn batches_that_it_has_already_are_passed_over() {
    let (disk, log) = sample();
    disk.flip(&segments(&disk)[1], 700, 1);
    let mut store = opened(&disk);
    look(&store);
    let (channel, base) = damaged(&store);
    let before = log.all.partition_point(|batch| batch.last_seq() < base);
    let given = sent(&log, log.all[before - 1].position(), log.all.len());
    let lacks = store.flusher.mend(channel, base, &[]).unwrap();
    let Mended::Lacks { after, .. } = lacks else {
        panic!("{lacks:?}");
    };
    assert!(given[0].last_seq() <= after.seq, "it has some of them");
    let mended = store.flusher.mend(channel, base, &given).unwrap();
    assert_eq!(mended, Mended::Whole);
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

/// What one replica gave and what another gives next may be of different histories.
#[test]
fn batches_that_do_not_continue_what_was_given_before_let_it_begin_anew() {
    let (disk, log) = sample();
    disk.lose(&segments(&disk)[1]);
    let mut store = opened(&disk);
    let (channel, base) = damaged(&store);
    let before = log.all.partition_point(|batch| batch.last_seq() < base);
    let mut other = Log::numbered(1);
    other.all = log.all.clone();
    other.truncate(before);
    other.batches(3, 200);
    let given = sent(&other, other.all[before - 1].position(), 3);
    let lacks = store.flusher.mend(channel, base, &given).unwrap();
    let Mended::Lacks { after, .. } = lacks else {
        panic!("{lacks:?}");
    };
    let next = sent(&log, after, 3);
    let mended = store.flusher.mend(channel, base, &next).unwrap();
    assert_eq!(mended, Mended::Contradicted);
    assert_eq!(unfinished(&disk), 0);
    mend_all(&mut store, &log).unwrap();
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

#[test]
fn a_segment_that_is_trimmed_or_cut_off_meanwhile_need_not_be_mended() {
    let (disk, log) = sample();
    disk.lose(&segments(&disk)[0]);
    let mut store = opened(&disk);
    let (channel, base) = damaged(&store);
    let lacks = store.flusher.mend(channel, base, &[]).unwrap();
    assert!(matches!(lacks, Mended::Lacks { .. }), "{lacks:?}");
    assert_eq!(unfinished(&disk), 1);
    let upto = log.all[30].last_seq();
    store
        .writer
        .commit(&[request(1, vec![WriteOp::Trim { upto }])])
        .unwrap();
    store.flusher.flush_all().unwrap();
    assert_eq!(
        store.flusher.mend(channel, base, &[]).unwrap(),
        Mended::Gone
    );
    assert_eq!(unfinished(&disk), 0, "what was begun is not kept");
    assert_eq!(store.reader.damaged(), []);
    store
        .writer
        .commit(&[request(1, vec![WriteOp::Delete])])
        .unwrap();
    store.flusher.flush_all().unwrap();
    assert_eq!(
        store.flusher.mend(channel, base, &[]).unwrap(),
        Mended::Gone
    );
}

#[test]
fn the_power_may_go_at_any_step_of_mending() {
    for which in [0, 1] {
        for step in 0.. {
            let (disk, log) = sample();
            disk.lose(&segments(&disk)[which]);
            let mut store = opened(&disk);
            disk.cut_power_at(disk.steps() + step);
            let done = mend_all(&mut store, &log).is_ok();
            drop(store);
            disk.cut_power_at(u64::MAX);
            for keep in [0, 1] {
                let mut store = opened(&disk.crash(&mut |_| keep));
                look(&store);
                assert!(!done || store.reader.damaged().is_empty(), "it was mended");
                mend_all(&mut store, &log).unwrap();
                assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
            }
            if done {
                break;
            }
        }
    }
}

/// A truncation is in force before the segments follow it. What it removed may be on no other node.
#[test]
fn what_a_truncation_removed_need_not_be_mended() {
    for harm in harms() {
        let (disk, mut log) = sample();
        harm(&disk, &segments(&disk)[1]);
        let mut store = opened(&disk);
        look(&store);
        let (channel, base) = damaged(&store);
        let kept = log.all.partition_point(|batch| batch.last_seq() < base);
        let ops = truncated(&mut log, kept);
        store.writer.commit(&[request(1, ops)]).unwrap();
        let mended = store.flusher.mend(channel, base, &[]).unwrap();
        assert_eq!(mended, Mended::Gone);
        assert_eq!(unfinished(&disk), 0);
        check_what_is_left(store, &disk, &log);
    }
}

/// Of a segment that it cuts in the middle, only what stays counts.
#[test]
fn damage_behind_a_truncation_need_not_be_mended() {
    for harm in harms().into_iter().take(2) {
        for starts_again in [false, true] {
            let (disk, mut log) = sample();
            harm(&disk, &segments(&disk)[1]);
            let mut store = opened(&disk);
            look(&store);
            let (channel, base) = damaged(&store);
            let lacks = store.flusher.mend(channel, base, &[]).unwrap();
            let Mended::Lacks { after, .. } = lacks else {
                panic!("{lacks:?}");
            };
            assert!(after.seq >= base, "it cuts within the segment");
            let kept = log.all.partition_point(|b| b.last_seq() <= after.seq);
            let ops = truncated(&mut log, kept);
            let report = store.writer.commit(&[request(1, ops)]).unwrap();
            assert_eq!(report.refused, [], "what it names is intact");
            if starts_again {
                drop(store);
                store = opened(&disk);
            }
            let mended = store.flusher.mend(channel, base, &[]).unwrap();
            assert_eq!(mended, Mended::Gone);
            assert_eq!(unfinished(&disk), 0);
            check_what_is_left(store, &disk, &log);
        }
    }
}

/// The others hold something else where it was cut, so that they could never mend what was there.
#[test]
fn a_segment_that_was_cut_before_it_was_damaged_is_mended_up_to_the_cut() {
    // An open file that loses its name is read as before.
    for harm in harms().into_iter().take(3) {
        let (disk, mut log) = sample();
        let path = segments(&disk)[1].clone();
        let base = path.file_name().map(Path::new).and_then(segment_base);
        let base = base.expect("it is named by its first seq");
        let mut store = opened(&disk);
        let kept = 6 + log.all.partition_point(|batch| batch.last_seq() < base);
        let ops = truncated(&mut log, kept);
        store.writer.commit(&[request(1, ops)]).unwrap();
        harm(&disk, &path);
        look(&store);
        assert_eq!(damaged(&store), (channel_uid(1), base));
        let asked = mend_all(&mut store, &log).unwrap();
        assert!((1..=2).contains(&asked), "asked {asked} times");
        check_what_is_left(store, &disk, &log);
    }
}

/// Keeps so many batches, and writes others after them.
fn truncated(log: &mut Log, kept: usize) -> Vec<WriteOp> {
    let truncation = WriteOp::Truncate(log.all[kept - 1].position());
    log.truncate(kept);
    vec![truncation, WriteOp::Append(log.batches(40, 200))]
}

/// Nothing is damaged, before and after the segments have followed and a start.
fn check_what_is_left(mut store: Store, disk: &CrashDisk, log: &Log) {
    assert_eq!(store.reader.damaged(), []);
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
    store.flusher.flush_all().unwrap();
    drop(store);
    assert_eq!(read_all(&opened(disk).reader, channel_uid(1)), log.all);
    let found = verify(disk, Path::new(DIR)).unwrap();
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}
