//! The disk of the machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Disk, DiskError, DiskFile, DiskOperation, FreeSpace};

/// How much is written at once when a file is filled with zeros.
const ZEROS: usize = 1024 * 1024;
/// Most parts that one call of the system takes.
const MAX_PARTS: usize = 1024;

/// The filesystem of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// How many syncs are asked for at once.
const SYNCS_AT_ONCE: usize = 16;

/// A file of the operating system.
#[derive(Debug)]
pub struct RealFile {
    file: File,
    path: PathBuf,
}

/// Holds a data directory for this process until it is dropped or the process ends.
#[derive(Debug)]
pub struct RealLock {
    _file: File,
}

impl Disk for RealDisk {
    type File = RealFile;
    type Lock = RealLock;

    fn create(&self, path: &Path) -> Result<RealFile, DiskError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|source| DiskError::new(DiskOperation::Create, path, source))?;
        Ok(RealFile {
            file,
            path: path.to_owned(),
        })
    }

    fn open(&self, path: &Path) -> Result<RealFile, DiskError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|source| DiskError::new(DiskOperation::Open, path, source))?;
        Ok(RealFile {
            file,
            path: path.to_owned(),
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        fs::rename(from, to).map_err(|source| DiskError::new(DiskOperation::Rename, from, source))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        fs::remove_file(path).map_err(|source| DiskError::new(DiskOperation::Rename, path, source))
    }

    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        fs::remove_dir_all(path)
            .map_err(|source| DiskError::new(DiskOperation::Rename, path, source))
    }

    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(|source| DiskError::new(DiskOperation::Create, path, source)),
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<PathBuf>, DiskError> {
        let read = |source| DiskError::new(DiskOperation::Read, path, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(read)? {
            names.push(PathBuf::from(entry.map_err(read)?.file_name()));
        }
        names.sort();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        path.try_exists()
            .map_err(|source| DiskError::new(DiskOperation::Read, path, source))
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        let dir =
            File::open(path).map_err(|source| DiskError::new(DiskOperation::Open, path, source))?;
        dir.sync_all()
            .map_err(|source| DiskError::new(DiskOperation::Sync, path, source))
    }

    fn sync_files(&self, files: &[Arc<RealFile>]) -> Result<(), DiskError> {
        side_by_side(files, |file| file.sync_data())
    }

    fn sync_dirs(&self, paths: &[PathBuf]) -> Result<(), DiskError> {
        side_by_side(paths, |path| self.sync_dir(path))
    }

    fn free_space(&self, path: &Path) -> Result<FreeSpace, DiskError> {
        let stat = rustix::fs::statvfs(path)
            .map_err(|errno| DiskError::new(DiskOperation::Inquire, path, errno.into()))?;
        Ok(FreeSpace {
            available: stat.f_bavail.saturating_mul(stat.f_frsize),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }

    fn lock(&self, path: &Path) -> Result<Option<RealLock>, DiskError> {
        let inquire = |source| DiskError::new(DiskOperation::Inquire, path, source);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(inquire)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(RealLock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => Err(inquire(source)),
        }
    }
}

/// Does the same to all items, on a few threads. All are done even if one fails.
fn side_by_side<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), DiskError> + Sync,
) -> Result<(), DiskError> {
    if let [only] = items {
        return work(only);
    }
    let each = |share: &[T]| share.iter().map(&work).fold(Ok(()), Result::and);
    std::thread::scope(|scope| {
        let shares: Vec<_> = items
            .chunks(items.len().div_ceil(SYNCS_AT_ONCE).max(1))
            .map(|share| scope.spawn(|| each(share)))
            .collect();
        shares
            .into_iter()
            .map(|share| share.join().expect("a sync does not panic"))
            .fold(Ok(()), Result::and)
    })
}

impl RealFile {
    fn error(&self, operation: DiskOperation) -> impl Fn(io::Error) -> DiskError + '_ {
        move |source| DiskError::new(operation, &self.path, source)
    }

    /// Writes as much as the system takes at once; parts beyond its limit wait for the next call.
    fn write_some(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let parts = &parts[..parts.len().min(MAX_PARTS)];
        loop {
            match rustix::io::pwritev(&self.file, parts, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => return Ok(written),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self
                .file
                .read_at(&mut buffer[filled..], offset + filled as u64)
            {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(DiskOperation::Read)(error)),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> Result<(), DiskError> {
        let mut rest = parts;
        let mut at = offset;
        while rest.iter().any(|part| !part.is_empty()) {
            let mut written = self
                .write_some(rest, at)
                .map_err(self.error(DiskOperation::Write))?;
            at += written as u64;
            while rest.first().is_some_and(|part| part.len() <= written) {
                written -= rest[0].len();
                rest = &rest[1..];
            }
            if written > 0 {
                let mut owned = rest.to_vec();
                owned[0].advance(written);
                return self.write_at(&owned, at);
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> Result<(), DiskError> {
        self.file
            .sync_data()
            .map_err(self.error(DiskOperation::Sync))
    }

    fn len(&self) -> Result<u64, DiskError> {
        let metadata = self
            .file
            .metadata()
            .map_err(self.error(DiskOperation::Read))?;
        Ok(metadata.len())
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.file
            .set_len(len)
            .map_err(self.error(DiskOperation::Write))
    }

    fn fill_zeroed(&self, len: u64) -> Result<(), DiskError> {
        let zeros = vec![0; ZEROS.min(usize::try_from(len).unwrap_or(ZEROS))];
        let mut at = 0;
        while at < len {
            let now = usize::try_from(len - at).map_or(zeros.len(), |rest| rest.min(zeros.len()));
            self.write_at(&[IoSlice::new(&zeros[..now])], at)?;
            at += now as u64;
        }
        self.file
            .sync_all()
            .map_err(self.error(DiskOperation::Sync))
    }

    fn reserve(&self, len: u64) -> Result<(), DiskError> {
        let flags = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&self.file, flags, 0, len)
            .map_err(|errno| self.error(DiskOperation::Write)(errno.into()))?;
        self.file
            .sync_all()
            .map_err(self.error(DiskOperation::Sync))
    }

    #[cfg(target_os = "linux")]
    fn release(&self, from: u64, to: u64) -> Result<(), DiskError> {
        // A length of zero would mean everything.
        let Some(len) = std::num::NonZeroU64::new(to.saturating_sub(from)) else {
            return Ok(());
        };
        rustix::fs::fadvise(&self.file, from, Some(len), rustix::fs::Advice::DontNeed)
            .map_err(|errno| self.error(DiskOperation::Inquire)(errno.into()))
    }

    #[cfg(not(target_os = "linux"))]
    fn release(&self, _from: u64, _to: u64) -> Result<(), DiskError> {
        Err(self.error(DiskOperation::Inquire)(
            io::ErrorKind::Unsupported.into(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_parts_are_written_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealDisk.create(&dir.path().join("f")).unwrap();
        let bytes: Vec<[u8; 3]> = (0..3000_u16)
            .map(|number| {
                let [low, high] = number.to_le_bytes();
                [low, high, 7]
            })
            .collect();
        let parts: Vec<IoSlice<'_>> = bytes.iter().map(|part| IoSlice::new(part)).collect();
        file.write_at(&parts, 5).unwrap();
        let mut read = vec![0; 9005];
        assert_eq!(file.read_at(&mut read, 0).unwrap(), 9005);
        assert_eq!(read[..5], [0; 5]);
        assert_eq!(read[5..], bytes.concat());
    }

    #[test]
    fn the_lock_is_exclusive_and_ends_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = RealDisk.lock(&path).unwrap().unwrap();
        assert!(RealDisk.lock(&path).unwrap().is_none());
        drop(held);
        assert!(RealDisk.lock(&path).unwrap().is_some());
    }

    #[test]
    fn a_file_is_filled_with_zeros_and_free_space_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealDisk.create(&dir.path().join("f")).unwrap();
        file.fill_zeroed(1_500_000).unwrap();
        assert_eq!(file.len().unwrap(), 1_500_000);
        let free = RealDisk.free_space(dir.path()).unwrap();
        assert!(free.available > 0 && free.total >= free.available);
    }
}
