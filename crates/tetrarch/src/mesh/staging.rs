//! A directory that appears whole or not at all: it is built beside its place and moved there.

use std::fs;
use std::path::{Path, PathBuf};

use super::files;
use crate::error::Error;
use crate::output;

/// A directory under construction. Dropped unfinished, it is removed.
#[derive(Debug)]
pub struct Staging {
    building: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl Staging {
    /// Begins to build what shall become `target`.
    ///
    /// # Errors
    /// If `target` holds anything already, or its parent directory cannot be written.
    pub fn begin(target: &Path) -> Result<Self, Error> {
        refuse_content(target)?;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Error::file("make the directory", parent))?;
        }
        let building = files::beside(target);
        files::make_dir(&building)?;
        Ok(Self {
            building,
            target: target.to_path_buf(),
            finished: false,
        })
    }

    /// Where to build.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.building
    }

    /// Moves what was built to its place.
    ///
    /// # Errors
    /// If something else has come to be there meanwhile.
    pub fn finish(mut self) -> Result<(), Error> {
        sync_tree(&self.building)?;
        refuse_content(&self.target)?;
        fs::rename(&self.building, &self.target)
            .map_err(Error::file("move into place", &self.target))?;
        self.finished = true;
        self.target.parent().map_or(Ok(()), files::sync_dir)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.building) {
            let path = self.building.display();
            output::say(format_args!("warning: {path} is left over: {error}"));
        }
    }
}

fn refuse_content(target: &Path) -> Result<(), Error> {
    match fs::read_dir(target).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::NotEmpty(target.to_path_buf())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::file("look into", target)(error)),
    }
}

fn sync_tree(dir: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(Error::file("look into", dir))? {
        let path = entry.map_err(Error::file("look into", dir))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        }
    }
    files::sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("mesh");
        let staging = Staging::begin(&target).unwrap();
        fs::write(staging.path().join("half"), "made").unwrap();
        drop(staging);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_empty_directory_is_replaced_and_a_full_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("mesh");
        fs::create_dir(&target).unwrap();
        let staging = Staging::begin(&target).unwrap();
        fs::write(staging.path().join("file"), "whole").unwrap();
        staging.finish().unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "whole");
        assert!(matches!(Staging::begin(&target), Err(Error::NotEmpty(_))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
