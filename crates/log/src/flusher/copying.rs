//! Making the file of a fork out of a channel's log.
//!
//! The file is synced after each stretch, so that it need not stay open between two of them, and
//! begins with its description, which is written last. Then it gets its name.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use tetrarch_wire::{Batch, ForkId, LogPosition};

use super::removal::{create_afresh, remove_if_there};
use crate::channel::Channel;
use crate::disk::{Disk, DiskError, DiskFile};
use crate::fork::{Content, Description, Fork, describe};
use crate::shared::Shared;
use crate::store::layout::UNFINISHED;
use crate::{ForkSummary, SealError, reader};

/// Most bytes that are read and written at once.
const CHUNK: usize = 1024 * 1024;

/// A file that is not a fork yet.
#[derive(Debug)]
pub(super) struct Copying {
    path: PathBuf,
    /// What is in it, durably.
    content: Content,
}

impl Copying {
    /// Makes the file.
    pub(super) fn begin<D: Disk>(
        shared: &Shared<D>,
        channel: &Channel,
        id: ForkId,
        base: LogPosition,
    ) -> Result<Self, DiskError> {
        let path = shared.layout.fork(channel.uid, id);
        let path = path.with_extension(UNFINISHED);
        create_afresh(&*shared.disk, &path)?;
        Ok(Self {
            path,
            content: Content::after(base),
        })
    }

    /// How far it has come.
    pub(super) fn upto(&self) -> LogPosition {
        self.content.end()
    }

    /// Copies about `budget` bytes of the log that ends at `end`; gives the fork when it is whole.
    pub(super) fn go_on<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Arc<Channel>,
        end: LogPosition,
        budget: u64,
    ) -> Result<Option<ForkSummary>, SealError> {
        let fatal = |error| SealError::from(shared.poison_if_fatal(error));
        let file = shared.disk.open(&self.path).map_err(fatal)?;
        let from = self.content.bytes();
        while self.content.end() != end && self.content.bytes() - from < budget {
            let next = self.content.end().seq.next();
            let left = budget - (self.content.bytes() - from);
            let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let read = reader::read(shared, channel, next, most)?;
            let batches = self.continuing(&read.batches, end)?;
            self.append(&file, batches).map_err(fatal)?;
        }
        let is_whole = self.content.end() == end;
        let summary = self.content.summary(channel.uid);
        if is_whole {
            write_description(&file, channel, &summary).map_err(fatal)?;
        }
        file.sync_data().map_err(fatal)?;
        drop(file);
        if !is_whole {
            return Ok(None);
        }
        self.give_name(shared, channel, &summary).map_err(fatal)?;
        Ok(Some(summary))
    }

    /// Removes what there is of it.
    pub(super) fn give_up<D: Disk>(self, disk: &D) -> Result<(), DiskError> {
        remove_if_there(disk, &self.path)
    }

    /// Those of the batches that the fork still lacks. The log may have been changed since its end was
    /// looked up; whatever it is now, only what leads to that end is taken.
    fn continuing<'a>(
        &self,
        batches: &'a [Batch],
        end: LogPosition,
    ) -> Result<&'a [Batch], SealError> {
        let mut last = self.content.end();
        let mut count = 0;
        for batch in batches {
            if last == end {
                break;
            }
            if !batch.follows(&last) || batch.last_seq() > end.seq {
                return Err(SealError::Changed);
            }
            last = batch.position();
            count += 1;
        }
        if count == 0 || (last.seq == end.seq && last != end) {
            return Err(SealError::Changed);
        }
        Ok(&batches[..count])
    }

    fn append<F: DiskFile>(&mut self, file: &F, batches: &[Batch]) -> Result<(), DiskError> {
        let chunks = batches.iter().flat_map(Batch::chunks);
        let parts: Vec<IoSlice<'_>> = chunks.map(|chunk| IoSlice::new(chunk)).collect();
        file.write_at(&parts, Description::LEN as u64 + self.content.bytes())?;
        batches.iter().for_each(|batch| self.content.take(batch));
        Ok(())
    }

    /// From here on it is a fork. One of the same name was damaged.
    fn give_name<D: Disk>(
        &self,
        shared: &Shared<D>,
        channel: &Channel,
        summary: &ForkSummary,
    ) -> Result<(), DiskError> {
        let path = shared.layout.fork(channel.uid, summary.id);
        shared.disk.rename(&self.path, &path)?;
        let dir = shared.layout.channel_dir(channel.uid);
        shared.disk.sync_dir(&dir)?;
        shared.files.close(&path);
        let mut forks = channel.forks();
        forks.insert(summary.id, Fork::new(summary.clone()));
        shared.forget_fork_damage(channel.uid, summary.id);
        Ok(())
    }
}

fn write_description<F: DiskFile>(
    file: &F,
    channel: &Channel,
    summary: &ForkSummary,
) -> Result<(), DiskError> {
    let (description, epochs) = describe(channel.uid, summary);
    file.write_at(&[IoSlice::new(&epochs)], description.batches_end())?;
    file.write_at(&[IoSlice::new(&description.encode())], 0)
}
