//! The one way to the disk. Everything the store does to files goes through [`Disk`] and
//! [`DiskFile`], so that every error passes the same classifier and a test can put a disk
//! underneath that loses power between any two blocks.

#[cfg(any(test, feature = "simulation"))]
mod crash;
mod failure;
mod real;

use std::fmt::Debug;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(any(test, feature = "simulation"))]
pub use crash::{Change, CrashDisk, CrashFile, CrashLock, Digests, Fate, PowerCut, Step, Tear};
pub use failure::{DiskError, DiskOperation, Failure};
pub use real::{RealDisk, RealFile, RealLock};

/// The unit in which disks lose and keep bytes. Commit groups begin on a multiple of it.
pub const BLOCK: usize = 4096;

/// Room on the filesystem of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// Bytes that this process may still write.
    pub available: u64,
    /// Bytes of the whole filesystem.
    pub total: u64,
}

/// Directories and their entries.
pub trait Disk: Debug + Send + Sync + 'static {
    /// An open file.
    type File: DiskFile;
    /// Held while this process owns a data directory.
    type Lock: Debug + Send + Sync + 'static;

    /// Creates a file that must not exist.
    ///
    /// # Errors
    /// If it exists, or as the disk says.
    fn create(&self, path: &Path) -> Result<Self::File, DiskError>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// If it does not exist, or as the disk says.
    fn open(&self, path: &Path) -> Result<Self::File, DiskError>;

    /// Gives a file another name, replacing what had that name.
    ///
    /// # Errors
    /// As the disk says.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the disk says.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;

    /// Removes a directory and all it holds.
    ///
    /// # Errors
    /// As the disk says.
    fn remove_tree(&self, path: &Path) -> Result<(), DiskError>;

    /// Creates a directory; one that exists is left as it is.
    ///
    /// # Errors
    /// As the disk says.
    fn create_dir(&self, path: &Path) -> Result<(), DiskError>;

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// If there is no such directory, or as the disk says.
    fn list(&self, path: &Path) -> Result<Vec<PathBuf>, DiskError>;

    /// Whether a file or directory of this name exists.
    ///
    /// # Errors
    /// As the disk says.
    fn exists(&self, path: &Path) -> Result<bool, DiskError>;

    /// Makes creations, renames and removals in a directory durable.
    ///
    /// # Errors
    /// As the disk says.
    fn sync_dir(&self, path: &Path) -> Result<(), DiskError>;

    /// Makes several files durable. A real disk works on them side by side, because a filesystem
    /// commits together what is asked for together.
    ///
    /// # Errors
    /// As the disk says about any of them.
    fn sync_files(&self, files: &[Arc<Self::File>]) -> Result<(), DiskError> {
        files.iter().try_for_each(|file| file.sync_data())
    }

    /// Makes creations, renames and removals in several directories durable.
    ///
    /// # Errors
    /// As the disk says about any of them.
    fn sync_dirs(&self, paths: &[PathBuf]) -> Result<(), DiskError> {
        paths.iter().try_for_each(|path| self.sync_dir(path))
    }

    /// Room on the filesystem that holds `path`.
    ///
    /// # Errors
    /// As the disk says.
    fn free_space(&self, path: &Path) -> Result<FreeSpace, DiskError>;

    /// Takes the exclusive lock that `path` stands for; `None` if another process holds it.
    ///
    /// # Errors
    /// As the disk says.
    fn lock(&self, path: &Path) -> Result<Option<Self::Lock>, DiskError>;
}

/// One open file. Positions are explicit, so a file may be shared between threads.
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// Fills `buffer` from `offset` as far as the file goes, and says how far that was.
    ///
    /// # Errors
    /// As the disk says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, DiskError>;

    /// Writes all of `parts`, one after the other, from `offset` on. After an error any part of
    /// them may have been written.
    ///
    /// # Errors
    /// As the disk says.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<(), DiskError>;

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// As the disk says. A store that sees one must not sync again: the kernel has dropped the
    /// pages.
    fn sync_data(&self) -> Result<(), DiskError>;

    /// Bytes in the file.
    ///
    /// # Errors
    /// As the disk says.
    fn len(&self) -> Result<u64, DiskError>;

    /// Whether the file holds no byte.
    ///
    /// # Errors
    /// As the disk says.
    fn is_empty(&self) -> Result<bool, DiskError> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file to `len` bytes.
    ///
    /// # Errors
    /// As the disk says.
    fn truncate(&self, len: u64) -> Result<(), DiskError>;

    /// Gives an empty file `len` bytes of zeros that are really written, so that a later write
    /// into it neither allocates nor converts anything (protocol §3.4), and makes them durable.
    ///
    /// # Errors
    /// As the disk says.
    fn fill_zeroed(&self, len: u64) -> Result<(), DiskError>;

    /// Makes room for `len` bytes in an empty file without writing them.
    ///
    /// # Errors
    /// As the disk says.
    fn reserve(&self, len: u64) -> Result<(), DiskError>;

    /// Says that the bytes between `from` and `to` need not stay in memory. Advice: what is not
    /// durable stays in any case.
    ///
    /// # Errors
    /// If the system does not take advice. Nothing is lost then.
    fn release(&self, from: u64, to: u64) -> Result<(), DiskError>;
}
