//! Turning WAL files over: one whose records are all durable elsewhere becomes the next to be
//! written, under a new incarnation; while there are fewer than allowed, a new one is made.

use std::sync::Arc;
use tetrarch_mutant::{Mutant, planted};

use super::{FlushProgress, Flusher};
use crate::LogError;
use crate::disk::{Disk, DiskError, DiskFile, Failure};
use crate::shared::Shared;
use crate::store::meta::MetaSlot;
use crate::wal::files::WalFile;

impl<D: Disk> Flusher<D> {
    /// Recycles every full file that no checkpoint needs any more.
    pub(super) fn recycle_wal(&mut self, progress: &mut FlushProgress) -> Result<(), LogError> {
        while let Some(full) = self.shared.wal.oldest_full() {
            let needed = |lsn| lsn <= full.last_lsn;
            if self.shared.oldest_dirty().is_some_and(needed) && !planted(Mutant::RecycleNeededFile)
            {
                break;
            }
            self.recycle(full.incarnation)?;
            progress.recycled += 1;
        }
        Ok(())
    }

    /// Sees to it that the writer finds a file when the current one is full.
    pub(super) fn make_ready(&mut self) -> Result<(), LogError> {
        let (full, ready) = self.shared.wal.counts();
        if ready == 0 && full + 1 < self.shared.options.wal_files_max {
            self.make_ready_file()?;
        }
        Ok(())
    }

    /// The floor is raised before the file loses its name, and the file is known before it is
    /// used: a file that is expected and not there is always a loss, never a step of this.
    fn recycle(&mut self, incarnation: u64) -> Result<(), LogError> {
        let next = self.meta.meta.wal_last + 1;
        self.meta.meta.wal_floor = match self.shared.wal.second_full() {
            Some(second) => second.incarnation,
            None => incarnation + 1,
        };
        self.save_meta()?;
        let layout = &self.shared.layout;
        let renamed = self
            .shared
            .disk
            .rename(&layout.wal_file(incarnation), &layout.wal_file(next));
        self.synced(renamed)?;
        self.synced(self.shared.disk.sync_dir(&layout.wal_dir()))?;
        self.shared.wal.forget_oldest_full();
        let opened = self.shared.disk.open(&self.shared.layout.wal_file(next));
        let file = opened.map_err(|error| self.shared.poison_if_fatal(error))?;
        self.add_ready(next, file)
    }

    fn make_ready_file(&mut self) -> Result<(), LogError> {
        let next = self.meta.meta.wal_last + 1;
        match make_file(&self.shared, next, self.wal_file_bytes) {
            Ok(file) => self.add_ready(next, file),
            Err(error) => {
                if error.failure == Failure::StorageFull {
                    self.shared.wal.set_shortage(error.duplicate());
                }
                Err(self.shared.poison_if_fatal(error))
            }
        }
    }

    /// If its number cannot be noted, the file is not used and the next one gets its number: a file
    /// that is skipped would look like one that has lost its groups.
    pub(crate) fn add_ready(&mut self, incarnation: u64, file: D::File) -> Result<(), LogError> {
        let len = file
            .len()
            .map_err(|error| self.shared.poison_if_fatal(error))?;
        let before = std::mem::replace(&mut self.meta.meta.wal_last, incarnation);
        if let Err(error) = self.save_meta() {
            self.meta.meta.wal_last = before;
            return Err(error);
        }
        self.shared.wal.add_ready(WalFile {
            incarnation,
            file,
            len,
        });
        self.shared.announce();
        Ok(())
    }

    /// Makes a file beyond the number that is allowed, for a start. A start may use the ballast.
    pub(crate) fn make_wal_file(&mut self) -> Result<WalFile<D::File>, LogError> {
        let incarnation = self.meta.meta.wal_last + 1;
        let file = match make_file(&self.shared, incarnation, self.wal_file_bytes) {
            Err(error) if error.failure == Failure::StorageFull && self.give_ballast_up()? => {
                make_file(&self.shared, incarnation, self.wal_file_bytes)?
            }
            made => made?,
        };
        self.meta.meta.wal_last = incarnation;
        self.save_meta()?;
        Ok(WalFile {
            incarnation,
            file,
            len: self.wal_file_bytes,
        })
    }

    /// A file of an earlier boot that is not needed any more becomes ready, if one is wanted.
    pub(crate) fn reuse_or_remove(&mut self, incarnation: u64) -> Result<(), LogError> {
        let (full, ready) = self.shared.wal.counts();
        let shared = Arc::clone(&self.shared);
        let path = shared.layout.wal_file(incarnation);
        let fits = shared.disk.open(&path)?.len()? == self.wal_file_bytes;
        if ready > 0 || !fits || full + 1 >= shared.options.wal_files_max {
            return self.remove_wal_file(incarnation);
        }
        let next = self.meta.meta.wal_last + 1;
        let target = shared.layout.wal_file(next);
        self.synced(shared.disk.rename(&path, &target))?;
        self.synced(shared.disk.sync_dir(&shared.layout.wal_dir()))?;
        let file = shared.disk.open(&target)?;
        self.add_ready(next, file)
    }

    pub(crate) fn remove_wal_file(&mut self, incarnation: u64) -> Result<(), LogError> {
        let shared = &self.shared;
        let removed = shared.disk.remove(&shared.layout.wal_file(incarnation));
        self.synced(removed)?;
        self.synced(shared.disk.sync_dir(&shared.layout.wal_dir()))
    }

    /// Keeps a rotten file as evidence, out of the way.
    pub(crate) fn set_aside(&mut self, incarnation: u64) -> Result<(), LogError> {
        let (disk, layout) = (&self.shared.disk, &self.shared.layout);
        let from = layout.wal_file(incarnation);
        self.synced(disk.rename(&from, &layout.damaged_wal_file(incarnation)))?;
        self.synced(disk.sync_dir(&layout.damaged_dir()))?;
        self.synced(disk.sync_dir(&layout.wal_dir()))
    }

    pub(crate) fn save_meta(&mut self) -> Result<(), LogError> {
        let meta = &mut self.meta.meta;
        if meta.served_boot == meta.boot {
            meta.served_last = meta.wal_last;
        }
        let saved = self.meta.save(&*self.shared.disk, &self.shared.layout);
        self.synced(saved)
    }

    pub(crate) fn meta_mut(&mut self) -> &mut MetaSlot {
        &mut self.meta
    }
}

/// Makes a WAL file of zeros. It gets its name when it is finished.
pub(crate) fn make_file<D: Disk>(
    shared: &Shared<D>,
    incarnation: u64,
    len: u64,
) -> Result<D::File, DiskError> {
    let disk = &*shared.disk;
    let unfinished = shared.layout.unfinished_wal_file(incarnation);
    match disk.remove(&unfinished) {
        Err(error) if error.is_missing() => {}
        other => other?,
    }
    let file = disk.create(&unfinished)?;
    if let Err(error) = file.fill_zeroed(len) {
        // Half a file is of no use, and its room is needed.
        drop(file);
        disk.remove(&unfinished)?;
        return Err(error);
    }
    drop(file);
    let path = shared.layout.wal_file(incarnation);
    disk.rename(&unfinished, &path)?;
    disk.sync_dir(&shared.layout.wal_dir())?;
    disk.open(&path)
}
