//! Making an empty directory a store.

use std::path::Path;

use super::layout::Layout;
use super::meta::{MetaSlot, StoreIdentity};
use crate::LogError;
use crate::disk::Disk;

/// Formats `dir`, which must be empty or not exist yet.
///
/// # Errors
/// If the directory holds a store or anything else, or the disk refuses.
pub fn format<D: Disk>(disk: &D, dir: &Path, identity: &StoreIdentity) -> Result<(), LogError> {
    let layout = Layout::new(dir);
    disk.create_dir(dir)?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        disk.sync_dir(parent)?;
    }
    refuse_foreign(disk, &layout)?;
    for directory in layout.directories() {
        disk.create_dir(&directory)?;
    }
    // The names first: a store whose identity exists is complete.
    disk.sync_dir(dir)?;
    MetaSlot::first(identity.clone()).save(disk, &layout)?;
    disk.sync_dir(dir)?;
    Ok(())
}

/// Whatever this very function may have left when it was interrupted is fine.
fn refuse_foreign<D: Disk>(disk: &D, layout: &Layout) -> Result<(), LogError> {
    let dir = layout.root().to_owned();
    match MetaSlot::load(disk, layout) {
        Err(LogError::NotFormatted { .. }) => {}
        Err(LogError::Disk(error)) => return Err(error.into()),
        _ => return Err(LogError::AlreadyFormatted { dir }),
    }
    let ours = layout.directories();
    for name in disk.list(&dir)? {
        let path = dir.join(&name);
        // The root of a filesystem of its own is a fine data directory.
        if layout.meta().contains(&path) || name == Path::new("lost+found") {
            continue;
        }
        if !ours.contains(&path) || !disk.list(&path)?.is_empty() {
            let found = name.display().to_string();
            return Err(LogError::NotEmpty { dir, found });
        }
    }
    Ok(())
}
