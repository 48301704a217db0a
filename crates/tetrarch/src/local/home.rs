//! Where a mesh for a while keeps its files.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Error;
use crate::mesh::files;

/// A directory that goes away with its user, unless it was named.
#[derive(Debug)]
pub enum Home {
    /// One of our own, removed at the end.
    Temporary(TempDir),
    /// One that the user named, and keeps.
    Kept(PathBuf),
}

impl Home {
    /// The named directory, or a temporary one.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(named: Option<&Path>) -> Result<Self, Error> {
        if let Some(named) = named {
            files::make_dir(named)?;
            return Ok(Self::Kept(named.to_path_buf()));
        }
        let parent = std::env::temp_dir();
        let made = tempfile::Builder::new()
            .prefix("tetrarch-")
            .tempdir_in(&parent);
        Ok(Self::Temporary(
            made.map_err(Error::file("make a directory in", &parent))?,
        ))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(path) => path,
        }
    }

    /// Leaves it where it is; gives the directory.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        match self {
            Self::Temporary(dir) => dir.keep(),
            Self::Kept(path) => path,
        }
    }

    /// Removes it, if it is temporary.
    ///
    /// # Errors
    /// If something of it cannot be removed.
    pub fn close(self) -> Result<(), Error> {
        match self {
            Self::Kept(_) => Ok(()),
            Self::Temporary(dir) => {
                let path = dir.path().to_path_buf();
                dir.close().map_err(Error::file("remove", &path))
            }
        }
    }
}
