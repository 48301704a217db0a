//! A disk in memory that can lose power. What was not synced when it does is lost, kept or torn,
//! each 4 KiB block and each name by itself, as the caller chooses; a sweep over the choices is a
//! sweep over every state that a real disk could be in.

mod digest;
mod fate;
mod faults;
mod file;
mod inode;
mod interrupt;
mod names;
#[cfg(test)]
mod tests;
mod trace;
mod tree;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{Disk, DiskError, DiskOperation, FreeSpace};
pub use digest::Digests;
use fate::Drawn;
pub use fate::{Fate, PowerCut, Tear};
use faults::Faults;
pub use file::CrashFile;
use inode::{Inodes, whole_blocks};
use interrupt::Interrupt;
use names::{Entry, Names};
use trace::Trace;
pub use trace::{Change, Step};

/// Room of a disk whose capacity was not set.
const ROOMY: u64 = 1 << 40;

/// A disk in memory. Cloning it gives another handle to the same disk.
#[derive(Clone, Debug)]
pub struct CrashDisk {
    world: Arc<Mutex<World>>,
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
    trace: Trace,
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
            trace: Trace::default(),
            locks: BTreeSet::new(),
            capacity: ROOMY,
        })
    }

    /// How many blocks were written, files synced and names changed so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.world().faults.steps()
    }

    /// Keeps what every step from here on changes, for [`Self::told`].
    pub fn tell_steps(&self) {
        self.world().trace.begin();
    }

    /// What the steps since [`Self::tell_steps`] have changed, one after the other.
    #[must_use]
    pub fn told(&self) -> Vec<Step> {
        self.world().trace.steps()
    }

    /// Cuts the power when that many steps were taken: every later operation fails.
    pub fn cut_power_at(&self, step: u64) {
        self.world().faults.cut_power_at(step);
    }

    /// Whether the power was cut.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.world().faults.check_power().is_err()
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

    /// Reads work, and what was to fail and has not yet does not.
    pub fn fail_nothing_more(&self) {
        self.world().faults.fail_nothing_more();
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
            .map(|(name, inode)| (name.path(), world.inodes.bytes(inode)))
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
        self.cut(&mut Drawn(choose))
    }

    /// The disk as it is found after a power cut now, of which `cut` decides what it has kept. This
    /// disk is left as it is.
    #[must_use]
    pub fn cut(&self, cut: &mut dyn PowerCut) -> Self {
        let mut world = self.world().clone();
        world.names.crash(cut);
        let named = world.names.files().map(|(_, inode)| inode).collect();
        world.inodes.crash(&named, cut);
        Self::of(world.untouched())
    }

    /// The disk as the next process finds it if this one is killed now: what was not synced is
    /// there, and still not synced. This disk is left as it is.
    #[must_use]
    pub fn killed(&self) -> Self {
        Self::of(self.world().clone().untouched())
    }

    /// What is on the disk, in short: equal disks have equal numbers.
    #[must_use]
    pub fn digest(&self, known: &mut Digests) -> u64 {
        let world = self.world();
        known.of(&world.names, &world.inodes, world.capacity)
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
        CrashFile::new(Arc::clone(&self.world), inode, path)
    }

    /// Changes a name, if the power is on.
    fn change<T>(
        &self,
        what: Change,
        path: &Path,
        change: impl FnOnce(&mut World) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        interrupt(&self.world);
        let mut world = self.world();
        let result = match world.step(what, path) {
            Ok(()) => change(&mut world),
            Err(off) => Err(off),
        };
        result.map_err(|source| DiskError::new(what.operation(), path, source))
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
        let inode = self.change(Change::Create, path, |world| {
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
        self.change(Change::Rename, from, |world| world.names.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.change(Change::Remove, path, |world| world.names.remove(path))
    }

    /// One name after the other, and the power can go between any two.
    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        let below = self.look(DiskOperation::Rename, path, |world| world.names.below(path))?;
        for name in below.iter().rev() {
            self.change(Change::Remove, name, |world| {
                world.names.remove_any(name);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.change(Change::CreateDirectory, path, |world| {
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
        self.change(Change::SyncDirectory, path, |world| {
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
        let free = self.change(Change::Lock, path, |world| {
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
    /// One more step; it is not taken if the power is off.
    fn step(&mut self, change: Change, path: &Path) -> io::Result<()> {
        self.faults.step()?;
        self.trace.note(change, path);
        Ok(())
    }

    /// As a process finds it that has done nothing yet.
    fn untouched(mut self) -> Self {
        self.faults = Faults::default();
        self.trace = Trace::default();
        self.locks.clear();
        self
    }

    /// Bytes of all files that have a name.
    fn used(&self) -> u64 {
        self.names
            .files()
            .map(|(_, inode)| whole_blocks(self.inodes.len(inode)))
            .sum()
    }

    /// Whether a file that takes `before` bytes may take `after`.
    fn has_room(&self, before: u64, after: u64) -> bool {
        let grown = after.saturating_sub(before);
        self.inodes.at_most() + grown <= self.capacity || self.used() + grown <= self.capacity
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
