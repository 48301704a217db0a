//! What is done to the files of a store that has stopped: bits flip, files are cut, go missing,
//! cannot be read, or come back as they were at an earlier time.

use std::{
    io::IoSlice,
    path::{Path, PathBuf},
    sync::Arc,
};

use tetrarch_log::{CrashDisk, Disk, DiskFile};

use super::{
    Cursor,
    history::{Past, files},
    wal::Files,
};

const STALE: &str = "as it was before";

/// A damaged store.
pub(super) struct Found {
    pub(super) disk: CrashDisk,
    pub(super) files: Files,
    /// What was done, in words.
    pub(super) done: Vec<String>,
    /// Whether files that can be read no more are among it.
    pub(super) unreadable: Option<String>,
}

pub(super) fn damage(past: &Past, cursor: &mut Cursor<'_>) -> Found {
    let count = cursor.pick(&[1, 1, 2, 1, 3, 0, 1, 4]);
    let disk = past.disk.crash(&mut |_| 1);
    let mut found = Found {
        files: files(&disk),
        disk,
        done: Vec::new(),
        unreadable: None,
    };
    for _ in 0..count {
        let paths: Vec<PathBuf> = found.files.keys().cloned().collect();
        if paths.is_empty() {
            break;
        }
        let path = paths[cursor.below(paths.len())].clone();
        let copies = ["a", "b"].map(|copy| path.with_extension(copy));
        if copies.contains(&path) && copies.iter().any(|copy| is_stale(&found, copy)) {
            // Nobody can tell that what an earlier version says is not the latest, if the copy that
            // does is damaged.
            continue;
        }
        if let Some(what) = one(past, &mut found, &path, cursor) {
            found.done.push(format!("{}: {what}", path.display()));
            found.files = files(&found.disk);
        }
    }
    found
}

fn is_stale(found: &Found, path: &Path) -> bool {
    let done = format!("{}: {STALE}", path.display());
    found.done.contains(&done)
}

fn one(past: &Past, found: &mut Found, path: &Path, cursor: &mut Cursor<'_>) -> Option<String> {
    let bytes = &found.files[path];
    // Damage beyond what was written tells nothing.
    let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
    let place = usize::from(u16::from_le_bytes([cursor.byte(), cursor.byte()]));
    let offset = (place * end) >> 16;
    match cursor.byte() {
        0..=119 => {
            let mask = 1 << (cursor.byte() % 8);
            found.disk.flip(path, offset as u64, mask);
            Some(format!("bit {mask} at {offset}"))
        }
        120..=149 => {
            let len = 1 + usize::from(cursor.byte()) * 16;
            for at in offset..(offset + len).min(bytes.len()) {
                found.disk.flip(path, at as u64, 0x5a);
            }
            Some(format!("{len} bytes at {offset}"))
        }
        150..=174 => {
            let file = found.disk.open(path).ok()?;
            file.truncate(offset as u64).ok()?;
            Some(format!("cut to {offset}"))
        }
        175..=199 => {
            found.disk.remove(path).ok()?;
            Some("removed".to_owned())
        }
        200..=219 if found.unreadable.is_none() => {
            let name = path.display().to_string();
            found.disk.fail_reads(Some(&name));
            found.unreadable = Some(name);
            Some("unreadable".to_owned())
        }
        200..=255 => stale(past, found, path, cursor),
    }
}

/// The file comes back as it was. No segment does: nobody can tell a branch of the log that was cut
/// from the one that took its place.
fn stale(past: &Past, found: &Found, path: &Path, cursor: &mut Cursor<'_>) -> Option<String> {
    let copies = ["a", "b"].map(|copy| path.with_extension(copy));
    let is_copy = copies.iter().any(|copy| copy == path);
    let touched = |copy: &PathBuf| {
        let begin = format!("{}:", copy.display());
        found.done.iter().any(|done| done.starts_with(&begin))
    };
    if is_copy && copies.iter().any(touched) {
        return None;
    }
    if path.extension().is_some_and(|end| end == "log") || past.earlier.is_empty() {
        return None;
    }
    let version = cursor.below(past.earlier.len());
    let before = past.earlier[version].get(path)?;
    let disk = Arc::new(found.disk.clone());
    let file = disk.open(path).ok()?;
    file.truncate(0).ok()?;
    file.write_at(&[IoSlice::new(before)], 0).ok()?;
    file.sync_data().ok()?;
    Some(STALE.to_owned())
}
