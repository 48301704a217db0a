//! The flusher: copies what is durable in the WAL to the files of each channel, so that memory is
//! given back and WAL files can be written again. Runs beside the writer, on a thread of its own.
//!
//! Batches are written to segments as soon as enough of them wait; that alone is not durable and
//! need not be, because the WAL still holds them. A channel is *checkpointed* (segments synced,
//! state kept twice) when the oldest full WAL file holds records that its checkpoint lacks, or
//! when it waits for a trim or its end. A WAL file is used again only when no checkpoint lacks
//! any record of it.

mod ballast;
mod checkpoint;
mod copying;
mod deleted;
mod files;
mod mending;
mod page_cache;
mod recycle;
mod removal;
mod sealing;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::ChannelUid;

use crate::LogError;
use crate::channel::{Channel, Work};
use crate::disk::{Disk, DiskError, DiskFile};
use crate::lsn::Lsn;
use crate::shared::Shared;
use crate::store::meta::MetaSlot;
pub(crate) use files::ChannelFiles;
use files::WriteFault;
pub use mending::Mended;
use mending::Mending;
pub(crate) use page_cache::PageCache;
pub use sealing::Sealed;
use sealing::Sealing;
pub(crate) use snapshot::load as load_snapshot;

/// Carries what is durable in the WAL over to the channels' own files.
#[derive(Debug)]
pub struct Flusher<D: Disk> {
    shared: Arc<Shared<D>>,
    meta: MetaSlot,
    wal_file_bytes: u64,
    /// Segments written to but not synced. They stay open, because closing a file may lose the
    /// news that writing it back has failed.
    unsynced: BTreeMap<ChannelUid, Arc<D::File>>,
    /// Channels whose checkpoint is done but for the name of their directory.
    checkpointed: Vec<(Arc<Channel>, Lsn)>,
    new_directories: bool,
    has_ballast: bool,
    /// Segments that are being mended, one of a channel at a time.
    mending: BTreeMap<ChannelUid, Mending<D::File>>,
    /// Forks that are being made, one of a channel at a time.
    sealing: BTreeMap<ChannelUid, Sealing>,
}

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushProgress {
    /// Bytes copied to segments.
    pub written_bytes: u64,
    /// Channels checkpointed.
    pub checkpointed: usize,
    /// WAL files that can be written again.
    pub recycled: usize,
    /// Bytes of batches that still only the WAL and memory hold.
    pub pending_bytes: u64,
    /// Whether there is more to do right away.
    pub more: bool,
}

impl<D: Disk> Flusher<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>, meta: MetaSlot, wal_file_bytes: u64) -> Self {
        Self {
            shared,
            meta,
            wal_file_bytes,
            unsynced: BTreeMap::new(),
            checkpointed: Vec::new(),
            new_directories: false,
            has_ballast: false,
            mending: BTreeMap::new(),
            sealing: BTreeMap::new(),
        }
    }

    /// Does what is due, and stops after about `budget` bytes of segments.
    ///
    /// # Errors
    /// If the disk refuses. What was not done is done by a later call, unless the error is fatal;
    /// where there is no room, give it a second before that call.
    pub fn flush(&mut self, budget: u64) -> Result<FlushProgress, LogError> {
        self.shared.check_poison()?;
        let mut progress = FlushProgress::default();
        let result = self.flush_due(budget.max(1), &mut progress);
        self.finish(result, progress)
    }

    /// Does everything: afterwards every channel's files hold all that is durable and the next
    /// start has nothing to replay. For an orderly stop.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn flush_all(&mut self) -> Result<FlushProgress, LogError> {
        self.shared.check_poison()?;
        let mut progress = FlushProgress::default();
        let result = self
            .checkpoint_dirty(Lsn::new(u64::MAX), u64::MAX, &mut progress)
            .and_then(|()| self.recycle_wal(&mut progress));
        self.finish(result, progress)
    }

    /// Waits until there is something to do, for at most `timeout`.
    #[must_use]
    pub fn wait_for_work(&self, timeout: Duration) -> bool {
        let shared = &self.shared;
        shared.wait(timeout, || shared.poisoned().is_some() || self.has_work())
    }

    fn has_work(&self) -> bool {
        let shared = &self.shared;
        let (full, ready) = shared.wal.counts();
        let wants_file = ready == 0 && full + 1 < shared.options.wal_files_max;
        full > 0
            || wants_file
            || shared.has_urgent()
            || shared.pending_bytes() >= shared.options.flush_trigger_bytes
    }

    /// What gives room back comes first: it must work when nothing else does.
    fn flush_due(&mut self, budget: u64, progress: &mut FlushProgress) -> Result<(), LogError> {
        self.recycle_wal(progress)?;
        self.serve_urgent(progress)?;
        self.write_out_pending(budget, progress)?;
        if let Some(full) = self.shared.wal.oldest_full() {
            self.checkpoint_dirty(full.last_lsn, budget, progress)?;
        }
        self.retire()?;
        self.recycle_wal(progress)?;
        self.make_ready()?;
        self.set_ballast_aside()
    }

    /// Trims what waits for it, and removes what was deleted or let go of.
    fn serve_urgent(&mut self, progress: &mut FlushProgress) -> Result<(), LogError> {
        self.sync_directories()?;
        let urgent = self.shared.take_urgent().into_iter();
        let (ended, trimmed): (Vec<_>, Vec<_>) = urgent.partition(|channel| {
            let view = channel.view();
            view.deleted || view.is_released
        });
        let served = self
            .trim(trimmed.into_iter())
            .and_then(|()| self.checkpoint(&ended, progress));
        if served.is_err() {
            ended.iter().for_each(|channel| self.shared.hurry(channel));
        }
        served
    }

    /// Gives memory back: writes to segments until only half of what triggers it is left.
    pub(crate) fn write_out_pending(
        &mut self,
        budget: u64,
        progress: &mut FlushProgress,
    ) -> Result<(), LogError> {
        let trigger = self.shared.options.flush_trigger_bytes;
        if self.shared.pending_bytes() < trigger {
            return Ok(());
        }
        for channel in self.shared.dirty_upto(Lsn::new(u64::MAX)) {
            if self.shared.pending_bytes() <= trigger / 2 || progress.written_bytes >= budget {
                break;
            }
            if channel.view().pending_bytes() > 0 {
                self.write_out(&channel, progress)?;
            }
        }
        Ok(())
    }

    /// Copies what waits in memory to the channel's segments.
    fn write_out(
        &mut self,
        channel: &Arc<Channel>,
        progress: &mut FlushProgress,
    ) -> Result<(), LogError> {
        let shared = Arc::clone(&self.shared);
        let mut files = channel.files();
        let work = channel.view().take_work();
        if work.deleted {
            return Ok(());
        }
        progress.written_bytes += self.write_segments(channel, &mut files, &work)?;
        let released = channel.view().written(files.written());
        shared.sub_pending(released);
        self.note_unsynced(channel, &files)?;
        if files.unsynced_bytes() >= shared.options.segment_sync_bytes {
            self.sync_segment(channel, &mut files)?;
        }
        Ok(())
    }

    /// Makes the segments follow the work. A channel whose segments turn out to be damaged is
    /// halted; the others go on.
    fn write_segments(
        &self,
        channel: &Arc<Channel>,
        files: &mut ChannelFiles,
        work: &Work,
    ) -> Result<u64, LogError> {
        match files.write(&self.shared, channel, work) {
            Ok(written) => Ok(written),
            Err(WriteFault::Damage(damage)) => {
                let dropped = channel.view().halt(damage);
                self.shared.sub_pending(dropped);
                Ok(0)
            }
            Err(WriteFault::Disk(error)) => {
                if !planted(Mutant::ForgetsCutOnError) {
                    channel.view().give_back(work.cut);
                }
                Err(self.shared.poison_if_fatal(error))
            }
        }
    }

    /// Keeps the file of an unsynced segment open; if there are too many, one is synced.
    fn note_unsynced(
        &mut self,
        channel: &Arc<Channel>,
        files: &ChannelFiles,
    ) -> Result<(), LogError> {
        if files.unsynced_bytes() == 0 {
            self.unsynced.remove(&channel.uid);
            return Ok(());
        }
        if let Some(path) = files.active_path(&self.shared, channel) {
            let file = self.shared.files.get(&*self.shared.disk, &path);
            let file = file.map_err(|error| self.shared.poison_if_fatal(error))?;
            self.unsynced.insert(channel.uid, file);
        }
        while self.unsynced.len() > self.shared.options.open_files_max {
            if let Some((uid, file)) = self.unsynced.pop_first() {
                self.synced(file.sync_data())?;
                if uid == channel.uid {
                    break;
                }
            }
        }
        Ok(())
    }

    fn sync_segment(
        &mut self,
        channel: &Arc<Channel>,
        files: &mut ChannelFiles,
    ) -> Result<(), LogError> {
        if let Some(file) = self.unsynced.remove(&channel.uid) {
            self.synced(file.sync_data())?;
        }
        files.mark_synced();
        Ok(())
    }

    /// A failed sync is the end of the store for this process (protocol §11.1); any other fatal
    /// error too.
    fn synced(&self, result: Result<(), DiskError>) -> Result<(), LogError> {
        result.map_err(|error| self.shared.poison_if_fatal(error))
    }

    fn finish(
        &self,
        result: Result<(), LogError>,
        mut progress: FlushProgress,
    ) -> Result<FlushProgress, LogError> {
        result?;
        progress.pending_bytes = self.shared.pending_bytes();
        progress.more = self.has_work();
        self.shared.announce();
        Ok(progress)
    }
}
