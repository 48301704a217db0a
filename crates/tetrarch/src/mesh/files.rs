//! Files that are written whole, with the right mode from the start, and safely on the disk before
//! anything relies on them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Mode of what anybody may read.
pub const PUBLIC: u32 = 0o644;
/// Mode of what its owner alone may read.
pub const SECRET: u32 = 0o600;

/// Makes a directory that only its owner may enter, and those above it.
///
/// # Errors
/// If it cannot be made.
pub fn make_dir(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::file("make the directory", path))
}

/// Writes a new file, which has its mode from the moment it exists.
///
/// # Errors
/// If it exists already or cannot be written.
pub fn create(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(Error::file("create", path))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(Error::file("write", path))
}

/// Writes a file in one step: whoever reads it sees the old content or the new one.
///
/// # Errors
/// If it cannot be written; the old content is still there then.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    let fresh = beside(path);
    create(&fresh, content, mode)?;
    let renamed = fs::rename(&fresh, path).map_err(Error::file("replace", path));
    if renamed.is_err() {
        fs::remove_file(&fresh).map_err(Error::file("remove", &fresh))?;
    }
    renamed?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Reads a text file.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::file("read", path))
}

/// Makes sure that what was created, renamed or removed in a directory stays so.
///
/// # Errors
/// If the disk does not confirm it.
pub fn sync_dir(path: &Path) -> Result<(), Error> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::file("sync the directory", path))
}

/// A name in the same directory that nothing else uses.
pub(super) fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_readable_by_its_owner_alone_and_never_overwritten_by_create() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"one", SECRET).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(create(&path, b"two", SECRET).is_err());
        assert_eq!(read(&path).unwrap(), "one");
    }

    #[test]
    fn replacing_leaves_nothing_beside_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cert");
        replace(&path, b"one", PUBLIC).unwrap();
        replace(&path, b"two", PUBLIC).unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
