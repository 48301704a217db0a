//! The ballast: room that is set aside while there is plenty, and given up when a store must be
//! opened on a full disk. Events never use it.

use super::Flusher;
use crate::LogError;
use crate::disk::{Disk, DiskError, DiskFile, Failure};
use crate::store::layout::UNFINISHED;

/// How many times its size must be free before ballast is set aside.
const PLENTY: u64 = 3;

impl<D: Disk> Flusher<D> {
    /// Sets ballast aside, if there is none and plenty of room.
    pub(super) fn set_ballast_aside(&mut self) -> Result<(), LogError> {
        if self.has_ballast {
            return Ok(());
        }
        let (disk, layout) = (&self.shared.disk, &self.shared.layout);
        let path = layout.ballast();
        if !disk.exists(&path)? {
            let free = disk.free_space(layout.root())?;
            let size = self.shared.options.ballast_bytes_on(free.total);
            if size == 0 || free.available / PLENTY < size {
                return Ok(());
            }
            match self.make_ballast(size) {
                Err(error) if error.failure == Failure::StorageFull => return Ok(()),
                made => self.synced(made)?,
            }
        }
        self.has_ballast = true;
        Ok(())
    }

    /// Gives the ballast up; says whether there was any.
    pub(super) fn give_ballast_up(&mut self) -> Result<bool, LogError> {
        self.has_ballast = false;
        let (disk, layout) = (&self.shared.disk, &self.shared.layout);
        match disk.remove(&layout.ballast()) {
            Err(error) if error.is_missing() => Ok(false),
            removed => {
                self.synced(removed)?;
                self.synced(disk.sync_dir(layout.root()))?;
                Ok(true)
            }
        }
    }

    fn make_ballast(&self, size: u64) -> Result<(), DiskError> {
        let (disk, layout) = (&self.shared.disk, &self.shared.layout);
        let path = layout.ballast();
        let unfinished = path.with_extension(UNFINISHED);
        match disk.remove(&unfinished) {
            Err(error) if error.is_missing() => {}
            removed => removed?,
        }
        let reserved = disk.create(&unfinished)?.reserve(size);
        if let Err(error) = reserved {
            disk.remove(&unfinished)?;
            return Err(error);
        }
        disk.rename(&unfinished, &path)?;
        disk.sync_dir(layout.root())
    }
}
