//! What the steps of a disk have changed, for whoever wants to know between which two of them the
//! power went.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::disk::DiskOperation;

/// What one step changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A file is created.
    Create,
    /// A directory is created.
    CreateDirectory,
    /// A name becomes another.
    Rename,
    /// A name is removed.
    Remove,
    /// One block is written.
    Write,
    /// A file is filled with zeros.
    Fill,
    /// A file is cut.
    Truncate,
    /// A file is synced.
    Sync,
    /// A directory is synced.
    SyncDirectory,
    /// The data directory is locked; the file for it comes into being.
    Lock,
}

impl Change {
    pub(super) const fn operation(self) -> DiskOperation {
        match self {
            Self::Create | Self::CreateDirectory => DiskOperation::Create,
            Self::Rename | Self::Remove => DiskOperation::Rename,
            Self::Write | Self::Fill | Self::Truncate => DiskOperation::Write,
            Self::Sync | Self::SyncDirectory => DiskOperation::Sync,
            Self::Lock => DiskOperation::Inquire,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::CreateDirectory => "create directory",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Write => "write a block of",
            Self::Fill => "fill",
            Self::Truncate => "truncate",
            Self::Sync => "sync",
            Self::SyncDirectory => "sync directory",
            Self::Lock => "lock",
        }
    }
}

/// One step of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it changes.
    pub change: Change,
    /// The file or directory; of a renaming the old name.
    pub path: PathBuf,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.change.name(), self.path.display())
    }
}

/// The steps, if somebody has asked for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace(Option<Vec<Step>>);

impl Trace {
    pub(super) fn begin(&mut self) {
        self.0 = Some(Vec::new());
    }

    pub(super) fn note(&mut self, change: Change, path: &Path) {
        if let Some(steps) = &mut self.0 {
            steps.push(Step {
                change,
                path: path.to_owned(),
            });
        }
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        let steps = self.0.as_ref();
        steps.expect("steps are told where they are kept").clone()
    }
}
