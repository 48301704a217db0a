//! One open file of a disk that can lose power.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use super::inode::whole_blocks;
use super::{Change, World, interrupt, locked};
use crate::disk::{BLOCK, DiskError, DiskFile, DiskOperation};

/// A file of a [`super::CrashDisk`].
#[derive(Debug)]
pub struct CrashFile {
    world: Arc<Mutex<World>>,
    inode: u64,
    path: PathBuf,
}

impl DiskFile for CrashFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let world = locked(&self.world);
        let allowed = world
            .faults
            .check_power()
            .and_then(|()| world.faults.check_read(&self.path));
        allowed.map_err(|source| DiskError::new(DiskOperation::Read, &self.path, source))?;
        Ok(world.inodes.read(self.inode, buffer, offset))
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<(), DiskError> {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            bytes.extend_from_slice(part);
        }
        self.write(&bytes, offset)
            .map_err(|source| DiskError::new(DiskOperation::Write, &self.path, source))
    }

    fn sync_data(&self) -> Result<(), DiskError> {
        interrupt(&self.world);
        let mut world = locked(&self.world);
        let result = world.step(Change::Sync, &self.path).and_then(|()| {
            let failed = world.faults.check_sync(&self.path);
            world.inodes.sync(self.inode, failed.is_ok());
            failed
        });
        result.map_err(|source| DiskError::new(DiskOperation::Sync, &self.path, source))
    }

    fn len(&self) -> Result<u64, DiskError> {
        Ok(locked(&self.world).inodes.len(self.inode))
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        interrupt(&self.world);
        let mut world = locked(&self.world);
        let result = world.step(Change::Truncate, &self.path);
        result.map_err(|source| DiskError::new(DiskOperation::Write, &self.path, source))?;
        world.inodes.truncate(self.inode, len);
        Ok(())
    }

    fn fill_zeroed(&self, len: u64) -> Result<(), DiskError> {
        {
            let mut world = locked(&self.world);
            let result = if world.has_room(world.inodes.len(self.inode), len) {
                world.step(Change::Fill, &self.path)
            } else {
                Err(Errno::NOSPC.into())
            };
            result.map_err(|source| DiskError::new(DiskOperation::Write, &self.path, source))?;
            world.inodes.truncate(self.inode, len);
        }
        self.sync_data()
    }

    fn reserve(&self, len: u64) -> Result<(), DiskError> {
        self.fill_zeroed(len)
    }

    fn release(&self, _from: u64, _to: u64) -> Result<(), DiskError> {
        Ok(())
    }
}

impl CrashFile {
    pub(super) fn new(world: Arc<Mutex<World>>, inode: u64, path: &Path) -> Self {
        Self {
            world,
            inode,
            path: path.to_owned(),
        }
    }

    /// Writes block by block, so that the power can go between any two.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        interrupt(&self.world);
        let mut world = locked(&self.world);
        let (allowed, then) = world.faults.check_write(&self.path, bytes.len());
        let mut written = 0;
        while written < allowed {
            let at = offset + written as u64;
            let rest = BLOCK - usize::try_from(at % BLOCK as u64).unwrap_or(0);
            let now = rest.min(allowed - written);
            let end = at + now as u64;
            let before = world.inodes.len(self.inode);
            if end > before && !world.has_room(before, whole_blocks(end)) {
                return Err(Errno::NOSPC.into());
            }
            world.step(Change::Write, &self.path)?;
            world
                .inodes
                .write(self.inode, &bytes[written..written + now], at);
            written += now;
        }
        then
    }
}
