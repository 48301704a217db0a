//! Files that go, or make room for another of their name.

use std::path::Path;

use crate::channel::Channel;
use crate::disk::{Disk, DiskError};
use crate::segment::Segment;
use crate::shared::Shared;

/// Removes segments that nothing counts any more, durably, and forgets what was damaged of them.
pub(super) fn remove_segments<D: Disk>(
    shared: &Shared<D>,
    channel: &Channel,
    segments: &[Segment],
) -> Result<(), DiskError> {
    for segment in segments {
        let path = shared.layout.segment(channel.uid, segment.base());
        shared.files.close(&path);
        remove_if_there(&*shared.disk, &path)?;
        let index = shared.layout.index(channel.uid, segment.base());
        remove_if_there(&*shared.disk, &index)?;
        shared.forget_damage(channel.uid, segment.base());
    }
    if segments.is_empty() {
        return Ok(());
    }
    shared
        .disk
        .sync_dir(&shared.layout.channel_dir(channel.uid))
}

/// Removes a file, if it is there.
pub(super) fn remove_if_there<D: Disk>(disk: &D, path: &Path) -> Result<(), DiskError> {
    match disk.remove(path) {
        Err(error) if error.is_missing() => Ok(()),
        other => other,
    }
}

/// Creates a file; one that an earlier attempt left behind goes.
pub(super) fn create_afresh<D: Disk>(disk: &D, path: &Path) -> Result<D::File, DiskError> {
    remove_if_there(disk, path)?;
    disk.create(path)
}
