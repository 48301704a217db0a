//! Where deleted channels go: out of the way first, and for good when there is time.

use tetrarch_wire::ChannelUid;

use super::Flusher;
use crate::LogError;
use crate::disk::{Disk, DiskError};
use crate::lsn::Lsn;
use crate::shared::Shared;

impl<D: Disk> Flusher<D> {
    /// Removes the files of deleted channels for good, and says of how many.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn purge_deleted(&mut self) -> Result<usize, LogError> {
        self.shared.check_poison()?;
        let dir = self.shared.layout.deleted_dir();
        let names = self.shared.disk.list(&dir)?;
        for name in &names {
            self.shared.disk.remove_tree(&dir.join(name))?;
        }
        if !names.is_empty() {
            self.synced(self.shared.disk.sync_dir(&dir))?;
        }
        Ok(names.len())
    }

    /// A start has found that this channel was deleted, by the record `lsn`, and cannot read what is
    /// left of it. What is left would pass for a channel that lost its state.
    pub(crate) fn remove_deleted(&self, uid: ChannelUid, lsn: Lsn) -> Result<(), LogError> {
        let dir = self.shared.layout.channel_dir(uid);
        if self.shared.disk.exists(&dir)? {
            self.synced(move_away(&self.shared, uid, lsn))?;
        }
        Ok(())
    }
}

/// Moves the directory of a channel that the record `lsn` deletes out of the way.
pub(super) fn move_away<D: Disk>(
    shared: &Shared<D>,
    uid: ChannelUid,
    lsn: Lsn,
) -> Result<(), DiskError> {
    let dir = shared.layout.channel_dir(uid);
    if shared.disk.exists(&dir)? {
        let target = shared.layout.deleted_channel(uid, lsn);
        if shared.disk.exists(&target)? {
            // It was moved before the last stop; a start that had to make room for the rest of
            // the WAL has made a part of it once more.
            shared.disk.remove_tree(&dir)?;
        } else {
            shared.disk.rename(&dir, &target)?;
        }
    }
    // The new name first: until the old one is gone, the next start deletes once more.
    shared.disk.sync_dir(&shared.layout.deleted_dir())?;
    shared.disk.sync_dir(&shared.layout.channels_dir())
}
