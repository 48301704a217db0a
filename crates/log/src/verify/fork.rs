//! The forks of one channel, each from its description to its last batch.

use std::path::Path;

use tetrarch_wire::{ChannelUid, ForkId};

use super::{FindingKind, VerifyReport};
use crate::disk::{Disk, DiskError};
use crate::fork::{self, ForkDamage};
use crate::store::layout::{Layout, fork_id};

pub(super) fn verify<D: Disk>(
    disk: &D,
    layout: &Layout,
    uid: ChannelUid,
    report: &mut VerifyReport,
) -> Result<(), DiskError> {
    for name in disk.list(&layout.channel_dir(uid))? {
        let Some(id) = fork_id(&name) else { continue };
        report.forks += 1;
        let path = layout.fork(uid, id);
        if let Err(damage) = verify_fork(disk, &path, uid, id, report)? {
            report.find(&path, Some(uid), FindingKind::Fork(damage));
        }
    }
    Ok(())
}

fn verify_fork<D: Disk>(
    disk: &D,
    path: &Path,
    uid: ChannelUid,
    id: ForkId,
    report: &mut VerifyReport,
) -> Result<Result<(), ForkDamage>, DiskError> {
    let loaded = match fork::load(disk, path, uid, id)? {
        Ok(loaded) => loaded,
        Err(damage) => return Ok(Err(damage)),
    };
    let file = disk.open(path)?;
    fork::check(&loaded, &file, uid, |batch| {
        report.batches += 1;
        report.bytes += batch.size() as u64;
    })
}
