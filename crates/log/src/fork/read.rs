//! Reading batches out of a fork.

use tetrarch_wire::{Batch, ForkId, Seq};

use super::ForkDamage;
use super::file::{Fork, read_summary};
use crate::ForkReadError;
use crate::channel::Channel;
use crate::disk::Disk;
use crate::segment::{Range, SegmentFault, read_batches};
use crate::shared::Shared;

/// How often a read starts anew because the file was made anew under it.
const ATTEMPTS: usize = 8;

/// Whole batches of a fork, beginning with the one that holds `from`. What is wrong is noted.
pub(crate) fn read<D: Disk>(
    shared: &Shared<D>,
    channel: &Channel,
    id: ForkId,
    from: Seq,
    max_bytes: usize,
) -> Result<Vec<Batch>, ForkReadError> {
    let mut attempts = ATTEMPTS;
    let mut is_file_fresh = false;
    loop {
        attempts -= 1;
        let fork = find(shared, channel, id)?;
        let (first, last) = (fork.batches.base(), fork.summary.end.seq);
        if from < first || from > last {
            return Err(ForkReadError::OutOfRange { first, last });
        }
        let range = Range {
            from,
            upto: last,
            max_bytes,
            interval: shared.options.index_interval_bytes,
        };
        let damage = match read_file(shared, channel, &fork, range) {
            Ok((batches, is_described)) => {
                if !is_described {
                    shared.note_fork_damage(channel.uid, id, ForkDamage::Description);
                }
                return Ok(batches);
            }
            Err(SegmentFault::Damage(rot)) => rot.into(),
            Err(SegmentFault::Disk(error)) if error.is_missing() => ForkDamage::Missing,
            Err(SegmentFault::Disk(error)) => return Err(ForkReadError::Transient(error)),
        };
        // It may have been dropped or made anew between the look and the read, and the file that was
        // open may be the one before.
        let forks = channel.forks();
        let is_same = forks.get(&id).is_some_and(|now| now.is_same(&fork));
        if attempts == 0 || (is_same && is_file_fresh) {
            shared.note_fork_damage(channel.uid, id, damage.clone());
            return Err(ForkReadError::Damaged(damage));
        }
        drop(forks);
        shared.files.close(&shared.layout.fork(channel.uid, id));
        is_file_fresh = is_same;
    }
}

fn find<D: Disk>(shared: &Shared<D>, channel: &Channel, id: ForkId) -> Result<Fork, ForkReadError> {
    let found = channel.forks().get(&id).cloned();
    found.ok_or_else(|| match shared.fork_damage(channel.uid, id) {
        Some(damage) => ForkReadError::Damaged(damage),
        None => ForkReadError::UnknownFork,
    })
}

/// Also says whether the file still describes itself, if it is read from its beginning.
fn read_file<D: Disk>(
    shared: &Shared<D>,
    channel: &Channel,
    fork: &Fork,
    range: Range,
) -> Result<(Vec<Batch>, bool), SegmentFault> {
    let path = shared.layout.fork(channel.uid, fork.summary.id);
    let file = shared.files.get(&*shared.disk, &path);
    let file = file.map_err(SegmentFault::Disk)?;
    let batches = read_batches(&fork.batches, &*file, range)?;
    let is_described = range.from > fork.batches.base()
        || read_summary(&*file, channel.uid, fork.summary.id)
            .map_err(SegmentFault::Disk)?
            .as_ref()
            == Some(&fork.summary);
    Ok((batches, is_described))
}
