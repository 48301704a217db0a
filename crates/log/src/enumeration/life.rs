//! The life of a store: what a script lets it do, with everything that it promises written down. It
//! ends when the power goes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;
use tetrarch_wire::{ForkId, Seq};

use super::batches::{Log, channel_uid, identity};
use super::group::Draft;
use super::promise::{Ledger, Promises, apply, holding};
use crate::channel::lock;
use crate::disk::BLOCK;
use crate::{
    CrashDisk, Failure, Flusher, GroupError, GroupReport, LogError, Reader, SealError, Sealed,
    StoreOptions, WriteRequest, Writer, format, open,
};

/// Where the store is.
pub(crate) const DIR: &str = "/store";
/// Room of a disk that is not full.
pub(crate) const ROOMY: u64 = 1 << 40;

/// `None` once the power is off.
pub(crate) type Lived = Option<()>;

/// A store that runs. The writer is shared with what happens in the middle of a flush.
struct Running {
    writer: Arc<Mutex<Writer<CrashDisk>>>,
    flusher: Flusher<CrashDisk>,
    reader: Reader<CrashDisk>,
}

/// One life.
pub(crate) struct Life {
    pub(crate) disk: CrashDisk,
    pub(crate) options: StoreOptions,
    pub(crate) ledger: Ledger,
    running: Option<Running>,
    logs: BTreeMap<u8, Log>,
    written: u8,
}

impl Life {
    pub(crate) fn new(options: StoreOptions) -> Self {
        Self {
            disk: CrashDisk::new(),
            options,
            ledger: Ledger::default(),
            running: None,
            logs: BTreeMap::new(),
            written: 0,
        }
    }

    /// Formats the directory.
    pub(crate) fn format(&mut self) -> Lived {
        let formatted = format(&self.disk, Path::new(DIR), &identity());
        self.survived(formatted)?;
        self.ledger.is_formatted = true;
        Some(())
    }

    /// The process starts.
    pub(crate) fn start(&mut self) -> Lived {
        let disk = Arc::new(self.disk.clone());
        let opened = open(disk, Path::new(DIR), self.options.clone());
        let store = self.survived(opened)?;
        self.ledger.settle(&store);
        self.running = Some(Running {
            writer: Arc::new(Mutex::new(store.writer)),
            flusher: store.flusher,
            reader: store.reader,
        });
        Some(())
    }

    /// The process stops as it is and starts again.
    pub(crate) fn restart(&mut self) -> Lived {
        self.stop();
        self.start()
    }

    /// The process stops as it is.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// Commits a group.
    pub(crate) fn commit(&mut self, draft: impl FnOnce(Draft<'_>) -> Draft<'_>) -> Lived {
        let (group, after) = self.draft(draft);
        self.ledger.maybe = Some(after);
        loop {
            let running = self.running();
            let result = lock(&running.writer).commit(&group);
            if let Err(GroupError::WalFull) = result {
                self.flush()?;
                continue;
            }
            return self.committed(result);
        }
    }

    /// A group finds no room after so many bytes, and is reported as not kept.
    pub(crate) fn refused(
        &mut self,
        bytes: usize,
        draft: impl FnOnce(Draft<'_>) -> Draft<'_>,
    ) -> Lived {
        let logs = self.logs.clone();
        let (group, after) = self.draft(draft);
        self.ledger.maybe = Some(after);
        self.disk
            .fail_next_write(".wal", bytes, Errno::NOSPC.raw_os_error());
        let result = lock(&self.running().writer).commit(&group);
        let Err(GroupError::StorageFull(_)) = result else {
            return self.committed(result);
        };
        self.ledger.maybe = None;
        self.logs = logs;
        Some(())
    }

    /// The flusher does what is due, as far as there is room.
    pub(crate) fn flush(&mut self) -> Lived {
        self.flushing(|flusher| match flusher.flush(u64::MAX) {
            Err(error) if error.failure() == Failure::StorageFull => Ok(()),
            flushed => flushed.map(drop),
        })
    }

    /// The flusher does everything.
    pub(crate) fn flush_all(&mut self) -> Lived {
        self.flushing(|flusher| flusher.flush_all().map(drop))
    }

    /// The files of deleted channels go.
    pub(crate) fn purge(&mut self) -> Lived {
        self.flushing(|flusher| flusher.purge_deleted().map(drop))
    }

    /// The flusher does everything or what is due, and after so many steps of the disk a group is
    /// committed.
    pub(crate) fn meanwhile(
        &mut self,
        after: u64,
        all: bool,
        draft: impl FnOnce(Draft<'_>) -> Draft<'_>,
    ) -> Lived {
        let (group, promised) = self.draft(draft);
        let outcome = Arc::new(Mutex::new(None));
        let result = Arc::clone(&outcome);
        let writer = Arc::clone(&self.running().writer);
        self.disk.interrupt_at(self.disk.steps() + after, move || {
            let committed = lock(&writer).commit(&group);
            *lock(&result) = Some(committed);
        });
        let flusher = &mut self.running().flusher;
        let flushed = if all {
            flusher.flush_all()
        } else {
            flusher.flush(u64::MAX)
        };
        self.disk.never_mind();
        self.see_starts();
        let outcome = lock(&outcome).take();
        if let Some(outcome) = outcome {
            self.ledger.maybe = Some(promised);
            self.committed(outcome)?;
        }
        self.survived(flushed).map(drop)
    }

    /// The process is stopped, and a byte of the last group but one is changed: the `at`th of it,
    /// when its content is what `hidden` writes.
    pub(crate) fn rot(
        &mut self,
        at: u64,
        hidden: impl FnOnce(Draft<'_>) -> Draft<'_>,
        last: impl FnOnce(Draft<'_>) -> Draft<'_>,
    ) -> Lived {
        // There is a file ready then, and nothing but the groups is written.
        self.flush()?;
        let before = wal_files(&self.disk);
        self.commit(hidden)?;
        let written = first_change(&before, &wal_files(&self.disk));
        self.commit(last)?;
        self.stop();
        let (path, offset) = written;
        let group = offset - offset % BLOCK as u64;
        self.disk.flip(&path, group + at, 1);
        Some(())
    }

    /// Something of this channel is in what has rotted.
    pub(crate) fn damage(&mut self, channel: u8) {
        let promise = self.ledger.acked.get_mut(&channel_uid(channel));
        promise.expect("the channel is open").is_damaged = true;
    }

    /// The beginning of this channel is in what has rotted.
    pub(crate) fn lose(&mut self, channel: u8) {
        let uid = channel_uid(channel);
        self.ledger.acked.remove(&uid);
        self.ledger.lost.insert(uid);
    }

    /// A snapshot is kept.
    pub(crate) fn save_snapshot(&mut self, channel: u8, seq: u64, size: usize) -> Lived {
        self.written += 1;
        let bytes = vec![self.written; size];
        let (uid, seq) = (channel_uid(channel), Seq::new(seq));
        let snapshot = Some((seq, bytes.clone().into()));
        let holding = holding(&self.ledger.acked, uid);
        let possible = self.ledger.snapshots.entry(holding).or_insert(vec![None]);
        possible.push(snapshot.clone());
        self.flushing(|flusher| flusher.save_snapshot(uid, holding.1, seq, &bytes))?;
        self.ledger.snapshots.insert(holding, vec![snapshot]);
        Some(())
    }

    /// From now on nothing that is acknowledged to this channel is lost, whatever is cut.
    pub(crate) fn lose_nothing_of(&mut self, channel: u8) {
        self.ledger.forks.lose_nothing_of(channel_uid(channel));
        self.ledger.forks.acknowledged(&self.ledger.acked);
    }

    /// What follows the first `count` batches of a log is sealed.
    pub(crate) fn seal(&mut self, channel: u8, count: usize) -> Lived {
        while self.seal_some(channel, count, 2_000)?.is_none() {}
        Some(())
    }

    /// The same, but no further than so many bytes. Gives the fork if it is whole.
    pub(crate) fn seal_some(
        &mut self,
        channel: u8,
        count: usize,
        budget: u64,
    ) -> Option<Option<ForkId>> {
        let uid = channel_uid(channel);
        let mut log = self.logs[&channel].clone();
        let batches = log.all.split_off(count);
        let id = self.ledger.forks.begin(uid, log.tail(), &batches);
        let sealed = self.running().flusher.seal(uid, log.tail(), budget);
        let sealed = self.survived(sealed.map_err(|error| match error {
            SealError::Store(error) => error,
            error => panic!("{error}"),
        }))?;
        match sealed {
            Sealed::Whole(fork) => {
                assert_eq!((fork.id, fork.base), (id, log.tail()));
                self.ledger.forks.keep(uid, id);
                Some(Some(id))
            }
            Sealed::Begun { upto, end } => {
                assert!(upto.seq < end.seq, "it goes on");
                Some(None)
            }
            Sealed::Nothing => panic!("there is something"),
        }
    }

    /// A fork is dropped.
    pub(crate) fn drop_fork(&mut self, channel: u8, fork: ForkId) -> Lived {
        let uid = channel_uid(channel);
        self.ledger.forks.begin_drop(uid, fork);
        self.flushing(|flusher| flusher.drop_fork(uid, fork).map(drop))?;
        self.ledger.forks.dropped(uid, fork);
        Some(())
    }

    fn draft(
        &mut self,
        draft: impl FnOnce(Draft<'_>) -> Draft<'_>,
    ) -> (Vec<WriteRequest>, Promises) {
        let group = draft(Draft::new(&mut self.logs)).requests();
        let mut after = self.ledger.acked.clone();
        group.iter().for_each(|request| apply(&mut after, request));
        (group, after)
    }

    fn committed(&mut self, result: Result<GroupReport, GroupError>) -> Lived {
        match result {
            Ok(report) => {
                assert_eq!(report.refused, []);
                let after = self.ledger.maybe.take();
                self.ledger.acked = after.expect("a group was on its way");
                self.ledger.forks.acknowledged(&self.ledger.acked);
                Some(())
            }
            Err(error) => {
                assert!(self.disk.is_off(), "{error}");
                None
            }
        }
    }

    /// Nothing fails in a script but the power.
    fn survived<T>(&self, result: Result<T, LogError>) -> Option<T> {
        match result {
            Ok(done) => Some(done),
            Err(error) => {
                assert!(self.disk.is_off(), "{error}");
                None
            }
        }
    }

    fn flushing(
        &mut self,
        work: impl FnOnce(&mut Flusher<CrashDisk>) -> Result<(), LogError>,
    ) -> Lived {
        let flushed = work(&mut self.running().flusher);
        self.see_starts();
        self.survived(flushed)
    }

    /// What readers were told about the beginnings of logs must stay true.
    fn see_starts(&mut self) {
        let Some(running) = &self.running else { return };
        for uid in self.ledger.acked.keys() {
            if let Some(start) = running.reader.log_start(*uid) {
                let holding = holding(&self.ledger.acked, *uid);
                self.ledger.starts.insert(holding, start.seq);
            }
        }
    }

    fn running(&mut self) -> &mut Running {
        self.running
            .as_mut()
            .expect("a script starts a store first")
    }
}

/// The files of the write-ahead log, with their bytes.
pub(crate) fn wal_files(disk: &CrashDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let wal = Path::new(DIR).join("wal");
    let files = disk.files().into_iter();
    files.filter(|(path, _)| path.starts_with(&wal)).collect()
}

/// The first byte that differs between two looks at the same files.
pub(crate) fn first_change(
    before: &[(PathBuf, Vec<u8>)],
    after: &[(PathBuf, Vec<u8>)],
) -> (PathBuf, u64) {
    let changed = before.iter().zip(after).find_map(|(old, new)| {
        let bytes = old.1.iter().zip(&new.1);
        let place = bytes.into_iter().position(|(old, new)| old != new)?;
        Some((new.0.clone(), place as u64))
    });
    changed.expect("something was written")
}
