//! A disk in memory that can lose power. What was not synced when it does is lost, kept or torn,
//! each 4 KiB block and each name by itself, as the caller chooses; a sweep over the choices is a
//! sweep over every state that a real disk could be in.

mod faults;
mod inode;
mod interrupt;
mod names;

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{Disk, DiskError, DiskFile, DiskOperation, FreeSpace};
use faults::Faults;
pub use inode::Fate;
use inode::Inodes;
use interrupt::Interrupt;
use names::{Entry, Names};

/// Room of a disk whose capacity was not set.
const ROOMY: u64 = 1 << 40;

/// A disk in memory. Cloning it gives another handle to the same disk.
#[derive(Clone, Debug)]
pub struct CrashDisk {
    world: Arc<Mutex<World>>,
}

/// A file of a [`CrashDisk`].
#[derive(Debug)]
pub struct CrashFile {
    world: Arc<Mutex<World>>,
    inode: u64,
    path: PathBuf,
}

/// The lock of a [`CrashDisk`].
#[derive(Debug)]
pub struct CrashLock {
    world: Arc<Mutex<World>>,
    path: PathBuf,
}

#[derive(Clone, Debug)]
struct World {
    names: Names,
    inodes: Inodes,
    faults: Faults,
    interrupt: Interrupt,
    locks: BTreeSet<PathBuf>,
    capacity: u64,
}

impl Default for CrashDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl CrashDisk {
    /// An empty disk that holds the root directory only.
    #[must_use]
    pub fn new() -> Self {
        Self::of(World {
            names: Names::new(),
            inodes: Inodes::default(),
            faults: Faults::default(),
            interrupt: Interrupt::default(),
            locks: BTreeSet::new(),
            capacity: ROOMY,
        })
    }

    /// How many blocks were written, files synced and names changed so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.world().faults.steps()
    }

    /// Cuts the power when that many steps were taken: every later operation fails.
    pub fn cut_power_at(&self, step: u64) {
        self.world().faults.cut_power_at(step);
    }

    /// The next sync of a file whose path contains `name` fails, and what it should have made
    /// durable never becomes durable, as it is on Linux.
    pub fn fail_next_sync(&self, name: &str) {
        self.world().faults.fail_next_sync(name);
    }

    /// The next write to a file whose path contains `name` stops after `bytes` with `errno`.
    pub fn fail_next_write(&self, name: &str, bytes: usize, errno: i32) {
        self.fail_next_writes(name, 1, bytes, errno);
    }

    /// The next `count` writes to files whose path contains `name` fail with `errno`: the first
    /// one after `bytes`, the others at once.
    pub fn fail_next_writes(&self, name: &str, count: u32, bytes: usize, errno: i32) {
        let mut world = self.world();
        world.faults.fail_next_writes(name, count, bytes, errno);
    }

    /// Does something else in the middle of what is being done, once that many steps were taken:
    /// what another thread might do then.
    pub fn interrupt_at(&self, step: u64, work: impl FnOnce() + Send + 'static) {
        self.world().interrupt.set(step, work);
    }

    /// Forgets what [`Self::interrupt_at`] was told, if it was not done yet.
    pub fn never_mind(&self) {
        let forgotten = std::mem::take(&mut self.world().interrupt);
        drop(forgotten);
    }

    /// Reads of files whose path contains `name` fail with an input/output error from now on;
    /// `None` ends that.
    pub fn fail_reads(&self, name: Option<&str>) {
        self.world().faults.fail_reads(name);
    }

    /// The disk holds so many bytes from now on; writes beyond are cut short.
    pub fn set_capacity(&self, bytes: u64) {
        self.world().capacity = bytes;
    }

    /// Leaves so many bytes free.
    pub fn set_room(&self, bytes: u64) {
        let mut world = self.world();
        world.capacity = world.used() + bytes;
    }

    /// Every file, with its bytes.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let world = self.world();
        world
            .names
            .files()
            .map(|(path, inode)| (path.to_owned(), world.inodes.bytes(inode)))
            .collect()
    }

    /// Changes one durable byte of a file. Nothing happens beyond the end of the file.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) {
        let mut world = self.world();
        if let Some(Entry::File(inode)) = world.names.get(path) {
            world.inodes.flip(inode, offset, mask);
        }
    }

    /// Takes a file away, durably. Nothing happens if it is not there.
    pub fn lose(&self, path: &Path) {
        self.world().names.lose(path);
    }

    /// Cuts a file, durably. Nothing happens beyond its end.
    pub fn shorten(&self, path: &Path, len: u64) {
        let mut world = self.world();
        if let Some(Entry::File(inode)) = world.names.get(path)
            && len < world.inodes.len(inode)
        {
            world.inodes.truncate(inode, len);
            world.inodes.sync(inode, true);
        }
    }

    /// The disk as it is found after a power cut now. `choose` is asked about everything that was
    /// not synced, with the number of things that can have happened to it, and answers with one of
    /// them. This disk is left as it is.
    #[must_use]
    pub fn crash(&self, choose: &mut dyn FnMut(usize) -> usize) -> Self {
        let mut world = self.world().clone();
        world.names.crash(choose);
        world.inodes.crash(choose);
        world.faults = Faults::default();
        world.locks.clear();
        Self::of(world)
    }

    fn of(world: World) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.world)
    }

    fn file(&self, path: &Path, inode: u64) -> CrashFile {
        CrashFile {
            world: Arc::clone(&self.world),
            inode,
            path: path.to_owned(),
        }
    }

    /// Changes a name, if the power is on.
    fn change<T>(
        &self,
        operation: DiskOperation,
        path: &Path,
        change: impl FnOnce(&mut World) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        interrupt(&self.world);
        let mut world = self.world();
        let result = match world.faults.step() {
            Ok(()) => change(&mut world),
            Err(off) => Err(off),
        };
        result.map_err(|source| DiskError::new(operation, path, source))
    }

    /// Looks something up, if the power is on.
    fn look<T>(
        &self,
        operation: DiskOperation,
        path: &Path,
        look: impl FnOnce(&World) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        let world = self.world();
        let result = world.faults.check_power().and_then(|()| look(&world));
        result.map_err(|source| DiskError::new(operation, path, source))
    }
}

impl Disk for CrashDisk {
    type File = CrashFile;
    type Lock = CrashLock;

    fn create(&self, path: &Path) -> Result<CrashFile, DiskError> {
        let inode = self.change(DiskOperation::Create, path, |world| {
            let inode = world.inodes.allocate();
            world.names.create(path, Entry::File(inode))?;
            Ok(inode)
        })?;
        Ok(self.file(path, inode))
    }

    fn open(&self, path: &Path) -> Result<CrashFile, DiskError> {
        let inode = self.look(DiskOperation::Open, path, |world| {
            match world.names.get(path) {
                Some(Entry::File(inode)) => Ok(inode),
                Some(Entry::Directory) => Err(Errno::ISDIR.into()),
                None => Err(Errno::NOENT.into()),
            }
        })?;
        Ok(self.file(path, inode))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.change(DiskOperation::Rename, from, |world| {
            world.names.rename(from, to)
        })
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.change(DiskOperation::Rename, path, |world| {
            world.names.remove(path)
        })
    }

    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        self.change(DiskOperation::Rename, path, |world| {
            world.names.remove_tree(path)
        })
    }

    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.change(DiskOperation::Create, path, |world| {
            match world.names.get(path) {
                Some(Entry::Directory) => Ok(()),
                _ => world.names.create(path, Entry::Directory),
            }
        })
    }

    fn list(&self, path: &Path) -> Result<Vec<PathBuf>, DiskError> {
        self.look(DiskOperation::Read, path, |world| world.names.list(path))
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        self.look(DiskOperation::Read, path, |world| {
            Ok(world.names.get(path).is_some())
        })
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.change(DiskOperation::Sync, path, |world| {
            world.names.sync(path);
            Ok(())
        })
    }

    fn free_space(&self, path: &Path) -> Result<FreeSpace, DiskError> {
        self.look(DiskOperation::Inquire, path, |world| {
            Ok(FreeSpace {
                available: world.capacity.saturating_sub(world.used()),
                total: world.capacity,
            })
        })
    }

    fn lock(&self, path: &Path) -> Result<Option<CrashLock>, DiskError> {
        let free = self.change(DiskOperation::Inquire, path, |world| {
            if world.names.get(path).is_none() {
                let inode = world.inodes.allocate();
                world.names.create(path, Entry::File(inode))?;
            }
            Ok(world.locks.insert(path.to_owned()))
        })?;
        Ok(free.then(|| CrashLock {
            world: Arc::clone(&self.world),
            path: path.to_owned(),
        }))
    }
}

impl Drop for CrashLock {
    fn drop(&mut self) {
        locked(&self.world).locks.remove(&self.path);
    }
}

impl World {
    /// Bytes of all files that have a name.
    fn used(&self) -> u64 {
        self.names
            .files()
            .map(|(_, inode)| self.inodes.len(inode).next_multiple_of(super::BLOCK as u64))
            .sum()
    }
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
        let result = world.faults.step().and_then(|()| {
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
        let result = world.faults.step();
        result.map_err(|source| DiskError::new(DiskOperation::Write, &self.path, source))?;
        world.inodes.truncate(self.inode, len);
        Ok(())
    }

    fn fill_zeroed(&self, len: u64) -> Result<(), DiskError> {
        {
            let mut world = locked(&self.world);
            let grown = len.saturating_sub(world.inodes.len(self.inode));
            let result = if world.used() + grown > world.capacity {
                Err(Errno::NOSPC.into())
            } else {
                world.faults.step()
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
    /// Writes block by block, so that the power can go between any two.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        interrupt(&self.world);
        let mut world = locked(&self.world);
        let (allowed, then) = world.faults.check_write(&self.path, bytes.len());
        let mut written = 0;
        while written < allowed {
            let at = offset + written as u64;
            let rest = super::BLOCK - usize::try_from(at % super::BLOCK as u64).unwrap_or(0);
            let now = rest.min(allowed - written);
            let end = at + now as u64;
            let before = world.inodes.len(self.inode);
            if end > before {
                let room = world.capacity.saturating_sub(world.used());
                if end.next_multiple_of(super::BLOCK as u64) > before + room {
                    return Err(Errno::NOSPC.into());
                }
            }
            world.faults.step()?;
            world
                .inodes
                .write(self.inode, &bytes[written..written + now], at);
            written += now;
        }
        then
    }
}

/// Does what was to be done in between, with the disk free for it.
fn interrupt(world: &Mutex<World>) {
    let due = {
        let mut world = locked(world);
        let steps = world.faults.steps();
        world.interrupt.due(steps)
    };
    if let Some(work) = due {
        work();
    }
}

fn locked(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
