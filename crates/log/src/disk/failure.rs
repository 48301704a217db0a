//! What an error of the disk means for the store. There is one classifier, because the same
//! errno must never be harmless in one place and fatal in another.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use thiserror::Error;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// It may work another time; nothing was lost.
    Retryable,
    /// There is no room. It works again when there is.
    StorageFull,
    /// These bytes cannot be had from this disk any more; others can.
    Corrupt,
    /// The disk cannot be trusted by this process any more.
    Fatal,
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskOperation {
    /// Opening a file.
    Open,
    /// Creating a file or directory.
    Create,
    /// Reading a file or directory.
    Read,
    /// Writing to a file.
    Write,
    /// Waiting until writes are durable.
    Sync,
    /// Renaming or removing.
    Rename,
    /// Asking about the filesystem, or taking the lock.
    Inquire,
}

impl DiskOperation {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Read => "read",
            Self::Write => "write to",
            Self::Sync => "sync",
            Self::Rename => "rename or remove",
            Self::Inquire => "inquire about",
        }
    }
}

/// An error of the disk, classified.
#[derive(Debug, Error)]
#[error("cannot {} {}: {source}{}", operation.name(), path.display(), failure.next_step())]
pub struct DiskError {
    /// What was being done.
    pub operation: DiskOperation,
    /// To which file or directory.
    pub path: PathBuf,
    /// What it means.
    pub failure: Failure,
    /// What the system said.
    pub source: io::Error,
}

impl DiskError {
    /// Classifies what the system said.
    #[must_use]
    pub fn new(operation: DiskOperation, path: &Path, source: io::Error) -> Self {
        Self {
            operation,
            path: path.to_owned(),
            failure: classify(operation, &source),
            source,
        }
    }

    /// Whether the file or directory is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// The same error once more. What the system said is kept by its number or in words.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let source = match self.source.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::new(self.source.kind(), self.source.to_string()),
        };
        Self {
            operation: self.operation,
            path: self.path.clone(),
            failure: self.failure,
            source,
        }
    }
}

impl Failure {
    const fn next_step(self) -> &'static str {
        match self {
            Self::Retryable => " (will be tried again)",
            Self::StorageFull => " (free space on this filesystem; the store goes on by itself)",
            Self::Corrupt => " (the range is repaired from another replica)",
            Self::Fatal => " (the process must stop; check the disk before starting it again)",
        }
    }
}

/// The only place where an errno becomes a decision. A failed sync is fatal whatever its errno
/// (protocol §11.1).
fn classify(operation: DiskOperation, source: &io::Error) -> Failure {
    if operation == DiskOperation::Sync {
        return Failure::Fatal;
    }
    match Errno::from_io_error(source) {
        Some(Errno::NOSPC | Errno::DQUOT) => Failure::StorageFull,
        Some(Errno::INTR | Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
            Failure::Retryable
        }
        Some(Errno::IO) if operation == DiskOperation::Read => Failure::Corrupt,
        Some(_) => Failure::Fatal,
        None => classify_kind(operation, source.kind()),
    }
}

fn classify_kind(operation: DiskOperation, kind: io::ErrorKind) -> Failure {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::StorageFull,
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Failure::Retryable,
        io::ErrorKind::UnexpectedEof if operation == DiskOperation::Read => Failure::Corrupt,
        _ => Failure::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(operation: DiskOperation, errno: Errno) -> Failure {
        DiskError::new(operation, Path::new("x"), errno.into()).failure
    }

    #[test]
    fn the_same_errno_means_the_same_for_every_operation_but_reads_and_syncs() {
        use DiskOperation::{Create, Read, Sync, Write};
        assert_eq!(class(Write, Errno::NOSPC), Failure::StorageFull);
        assert_eq!(class(Create, Errno::DQUOT), Failure::StorageFull);
        assert_eq!(class(Write, Errno::IO), Failure::Fatal);
        assert_eq!(class(Write, Errno::ROFS), Failure::Fatal);
        assert_eq!(class(Read, Errno::IO), Failure::Corrupt);
        assert_eq!(class(Read, Errno::MFILE), Failure::Retryable);
        assert_eq!(class(Sync, Errno::NOSPC), Failure::Fatal);
        assert_eq!(class(Sync, Errno::INTR), Failure::Fatal);
    }

    #[test]
    fn an_error_says_what_where_why_and_what_next() {
        let error = DiskError::new(DiskOperation::Write, Path::new("/d/f"), Errno::NOSPC.into());
        let text = error.to_string();
        for part in ["write to", "/d/f", "No space left", "free space"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(error.duplicate().to_string(), text);
    }
}
