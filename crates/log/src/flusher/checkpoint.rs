//! Checkpoints: making the files of channels hold everything durable that they have, durably.
//!
//! It is done for many channels at a time, step by step for all of them, because each step ends in
//! a sync, and a filesystem commits together what is asked for together: the segments, the names,
//! the first copies of the states, the second copies.

use std::sync::Arc;
use tetrarch_mutant::{Mutant, planted};

use super::{FlushProgress, Flusher};
use crate::LogError;
use crate::channel::state::ChannelState;
use crate::channel::{Channel, Work};
use crate::disk::Disk;
use crate::lsn::Lsn;

/// Most channels that are checkpointed together.
const TOGETHER: usize = 128;

/// A channel on its way to a checkpoint.
struct Candidate {
    channel: Arc<Channel>,
    lsn: Lsn,
    generation: u64,
    state: ChannelState,
}

impl<D: Disk> Flusher<D> {
    /// Checkpoints every channel whose checkpoint lacks a record up to `upto`.
    pub(super) fn checkpoint_dirty(
        &mut self,
        upto: Lsn,
        budget: u64,
        progress: &mut FlushProgress,
    ) -> Result<(), LogError> {
        for channels in self.shared.dirty_upto(upto).chunks(TOGETHER) {
            if progress.written_bytes >= budget {
                break;
            }
            self.checkpoint(channels, progress)?;
        }
        self.retire()
    }

    /// Checkpoints these channels. They count as clean after [`Self::retire`].
    pub(crate) fn checkpoint(
        &mut self,
        channels: &[Arc<Channel>],
        progress: &mut FlushProgress,
    ) -> Result<(), LogError> {
        let mut works = Vec::new();
        for channel in channels {
            if let Some(work) = self.bring_up_to_date(channel, progress)? {
                works.push((Arc::clone(channel), work));
            }
        }
        self.sync_segments(&works)?;
        self.sync_names(&works)?;
        self.sync_seconds(&works)?;
        let candidates: Vec<Candidate> = works.iter().map(Candidate::new).collect();
        self.keep_copies(&candidates, 0)?;
        self.keep_copies(&candidates, 1)?;
        progress.checkpointed += candidates.len();
        for candidate in candidates {
            let mut files = candidate.channel.files();
            files.kept(candidate.state);
            self.new_directories |= files.take_new_directory();
            drop(files);
            self.checkpointed.push((candidate.channel, candidate.lsn));
        }
        Ok(())
    }

    /// Checkpoints count once the names of new channels are durable too; one sync does for all.
    /// Only then is trimmed what had to wait for them.
    pub(crate) fn retire(&mut self) -> Result<(), LogError> {
        self.sync_directories()?;
        let checkpointed = std::mem::take(&mut self.checkpointed);
        for (channel, lsn) in &checkpointed {
            let mut view = channel.view();
            let Some(since) = view.dirty_since else {
                continue;
            };
            let now = (view.last_lsn > *lsn).then(|| lsn.next());
            view.dirty_since = now;
            self.shared.mark_clean(channel.uid, since, now);
        }
        self.trim(checkpointed.into_iter().map(|(channel, _)| channel))
    }

    pub(super) fn sync_directories(&mut self) -> Result<(), LogError> {
        if self.new_directories {
            let dir = self.shared.layout.channels_dir();
            self.synced(self.shared.disk.sync_dir(&dir))?;
            self.new_directories = false;
        }
        Ok(())
    }

    /// Trims these channels; those that the disk does not let be trimmed now wait for it.
    pub(super) fn trim(
        &self,
        mut channels: impl Iterator<Item = Arc<Channel>>,
    ) -> Result<(), LogError> {
        while let Some(channel) = channels.next() {
            if channel.view().deleted {
                continue;
            }
            let trimmed = channel.files().trim(&self.shared, &channel);
            if let Err(error) = self.synced(trimmed) {
                self.shared.hurry(&channel);
                channels.for_each(|channel| self.shared.hurry(&channel));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes what the channel's segments lack; a deleted channel has no more to be done than to
    /// be moved away.
    fn bring_up_to_date(
        &mut self,
        channel: &Arc<Channel>,
        progress: &mut FlushProgress,
    ) -> Result<Option<Work>, LogError> {
        let mut files = channel.files();
        let mut work = channel.view().take_work();
        if work.deleted {
            self.unsynced.remove(&channel.uid);
            self.sealing.remove(&channel.uid);
            self.synced(files.delete(&self.shared, channel, work.lsn))?;
            self.checkpointed.push((Arc::clone(channel), work.lsn));
            return Ok(None);
        }
        progress.written_bytes += self.write_segments(channel, &mut files, &work)?;
        let released = channel.view().written(files.written());
        self.shared.sub_pending(released);
        self.note_unsynced(channel, &files)?;
        // They are in the segments now; the memory is not kept until the checkpoint is done.
        work.batches = Vec::new();
        Ok(Some(work))
    }

    fn sync_segments(&mut self, works: &[(Arc<Channel>, Work)]) -> Result<(), LogError> {
        let unsynced: Vec<_> = works
            .iter()
            .filter_map(|(channel, _)| self.unsynced.remove(&channel.uid))
            .collect();
        if !planted(Mutant::SegmentsNotSynced) {
            self.synced(self.shared.disk.sync_files(&unsynced))?;
        }
        for (channel, _) in works {
            channel.files().mark_synced();
        }
        Ok(())
    }

    fn sync_names(&self, works: &[(Arc<Channel>, Work)]) -> Result<(), LogError> {
        let renamed: Vec<_> = works
            .iter()
            .map(|(channel, _)| channel)
            .filter(|channel| channel.files().has_new_names())
            .collect();
        let dirs: Vec<_> = renamed
            .iter()
            .map(|channel| self.shared.layout.channel_dir(channel.uid))
            .collect();
        if !planted(Mutant::SegmentNamesNotSynced) {
            self.synced(self.shared.disk.sync_dirs(&dirs))?;
        }
        for channel in renamed {
            channel.files().mark_names_synced();
        }
        Ok(())
    }

    fn sync_seconds(&self, works: &[(Arc<Channel>, Work)]) -> Result<(), LogError> {
        let mut files = Vec::new();
        for (channel, _) in works {
            let written = channel.files().write_second(&self.shared, channel);
            files.extend(
                written
                    .map_err(|error| self.shared.poison_if_fatal(error))?
                    .map(Arc::new),
            );
        }
        self.synced(self.shared.disk.sync_files(&files))?;
        for (channel, _) in works {
            channel.files().mark_second_synced();
        }
        Ok(())
    }

    fn keep_copies(&self, candidates: &[Candidate], copy: usize) -> Result<(), LogError> {
        let (disk, layout) = (&*self.shared.disk, &self.shared.layout);
        let mut files = Vec::new();
        for candidate in candidates {
            let Candidate {
                channel,
                generation,
                state,
                ..
            } = candidate;
            let written = state.write_copy(disk, layout, channel.uid, *generation, copy);
            files.push(Arc::new(
                written.map_err(|error| self.shared.poison_if_fatal(error))?,
            ));
        }
        self.synced(disk.sync_files(&files))
    }
}

impl Candidate {
    fn new((channel, work): &(Arc<Channel>, Work)) -> Self {
        let (generation, state) = channel.files().state(channel, work);
        Self {
            lsn: work.lsn,
            channel: Arc::clone(channel),
            generation,
            state,
        }
    }
}
