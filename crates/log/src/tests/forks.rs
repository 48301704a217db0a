//! Forks: what follows a position of a log is kept beside it, whole, until somebody drops it.

mod reading;
mod real;
mod sealing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tetrarch_wire::{Batch, LogPosition};

use super::{Log, channel_uid, identity, open_op, request, small};
use crate::enumeration::batches::read_fork_on;
use crate::{
    CrashDisk, ForkSummary, GroupError, OpenedStore, Sealed, StoreOptions, WriteOp, format, open,
    verify,
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

/// A channel with 30 batches: 20 in segments, 10 of another epoch in memory.
fn sample() -> (CrashDisk, Store, Log) {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut store = opened(&disk);
    let mut log = Log::numbered(1);
    let first = vec![open_op("a"), WriteOp::Append(log.batches(20, 200))];
    store.writer.commit(&[request(1, first)]).unwrap();
    store.flusher.flush_all().unwrap();
    log.epoch.n += 1;
    append(&mut store, &mut log, 10);
    (disk, store, log)
}

fn append(store: &mut Store, log: &mut Log, count: usize) {
    let batches = log.batches(count, 200);
    commit(store, WriteOp::Append(batches));
}

fn commit(store: &mut Store, op: WriteOp) {
    let group = [request(1, vec![op])];
    loop {
        match store.writer.commit(&group) {
            Ok(report) => break assert_eq!(report.refused, []),
            Err(GroupError::WalFull) => store.flusher.flush_all().map(drop).unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The end of the first `count` batches.
fn position(log: &Log, count: usize) -> LogPosition {
    let mut front = log.clone();
    front.all.truncate(count);
    front.tail()
}

/// Cuts the log to its first `count` batches.
fn cut(store: &mut Store, log: &mut Log, count: usize) {
    log.truncate(count);
    commit(store, WriteOp::Truncate(log.tail()));
}

/// Seals all that follows the first `count` batches.
fn seal(store: &mut Store, log: &Log, count: usize) -> ForkSummary {
    let after = position(log, count);
    match store.flusher.seal(channel_uid(1), after, u64::MAX).unwrap() {
        Sealed::Whole(fork) => fork,
        other => panic!("{other:?}"),
    }
}

/// Every batch of a fork that is whole.
fn read(store: &Store, fork: &ForkSummary) -> Vec<Batch> {
    let (all, refused) = read_fork_on(&store.reader, channel_uid(1), fork);
    assert!(refused.is_none(), "{refused:?}");
    all
}

/// The files whose names end in this.
fn named(disk: &CrashDisk, part: &str) -> Vec<PathBuf> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    let named = files.filter(|path| path.to_string_lossy().contains(part));
    named.collect()
}

fn fork_file(fork: &ForkSummary) -> PathBuf {
    let name = format!("{DIR}/chan/{}/fork-{}", channel_uid(1), fork.id);
    PathBuf::from(name)
}

fn is_intact(disk: &CrashDisk) -> bool {
    verify(disk, Path::new(DIR)).unwrap().findings.is_empty()
}
