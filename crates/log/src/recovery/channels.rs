//! Loading the checkpoints of all channels, and making their files agree with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tetrarch_wire::{ChannelUid, ForkId, LogPosition};

use super::Lost;
use crate::channel::state::{ChannelState, SegmentRecord};
use crate::channel::{Channel, View};
use crate::disk::{Disk, DiskError, DiskFile};
use crate::flusher::ChannelFiles;
use crate::segment::Segment;
use crate::shared::Shared;
use crate::store::layout::{UNFINISHED, fork_id, segment_base};
use crate::store::slot::Copy;
use crate::{Damage, fork};

/// Loads every channel that has a directory. Those whose state cannot be read are returned.
pub(super) fn load<D: Disk>(shared: &Arc<Shared<D>>) -> Result<Lost, DiskError> {
    let mut lost = Lost::new();
    for name in shared.disk.list(&shared.layout.channels_dir())? {
        let Some(uid) = name.to_str().and_then(ChannelUid::parse) else {
            continue;
        };
        let copies = ChannelState::copies(&*shared.disk, &shared.layout, uid)?;
        match ChannelState::newest(&copies) {
            Some((generation, state)) => {
                repair_copies(shared, uid, &copies, generation, &state)?;
                let names = shared.disk.list(&shared.layout.channel_dir(uid))?;
                remove_strays(shared, uid, &state, &names)?;
                let channel = Arc::new(restore(shared, uid, generation, state)?);
                shared.add_channel(Arc::clone(&channel));
                load_forks(shared, &channel, &names)?;
            }
            // It may have died being born: then its beginning is in the WAL.
            None => {
                let is_trace = is_trace(shared, uid)?;
                let damage = if is_trace {
                    Damage::NeverOpened
                } else {
                    Damage::StateLost
                };
                lost.insert(uid, damage);
            }
        }
    }
    Ok(lost)
}

/// Whether the channel's files were made, and nothing was ever written to them.
fn is_trace<D: Disk>(shared: &Shared<D>, uid: ChannelUid) -> Result<bool, DiskError> {
    for path in shared.layout.state(uid) {
        let len = match shared.disk.open(&path) {
            Err(error) if error.is_missing() => 0,
            file => file?.len()?,
        };
        if len > 0 {
            return Ok(false);
        }
    }
    let names = shared.disk.list(&shared.layout.channel_dir(uid))?;
    Ok(!names.iter().any(|name| segment_base(name).is_some()))
}

/// A stop between the two copies leaves a newer and an older one, and from here on only what the
/// newer one lacks is kept in the WAL. So both become the newer one, and that one is written first:
/// if it was in the page cache only, the older one is what holds until it is durable.
fn repair_copies<D: Disk>(
    shared: &Shared<D>,
    uid: ChannelUid,
    copies: &[Copy; 2],
    generation: u64,
    state: &ChannelState,
) -> Result<(), DiskError> {
    let [is_newest, other] = copies.each_ref().map(|copy| copy.is_of(generation));
    if is_newest && other {
        return Ok(());
    }
    let newest = usize::from(!is_newest);
    for copy in [newest, 1 - newest] {
        state
            .write_copy(&*shared.disk, &shared.layout, uid, generation, copy)?
            .sync_data()?;
    }
    Ok(())
}

fn restore<D: Disk>(
    shared: &Shared<D>,
    uid: ChannelUid,
    generation: u64,
    state: ChannelState,
) -> Result<Channel, DiskError> {
    for record in &state.segments {
        if !check_segment(shared, uid, record)? {
            shared.note_damage(uid, record.previous.seq.next());
        }
    }
    let tail = state.tail();
    let mut view = View::new(LogPosition::origin(state.genesis.genesis_link()));
    view.hard_state = state.hard_state;
    view.commit_hint = state.commit_hint;
    view.trim_upto = state.trim_upto;
    view.halted.clone_from(&state.halted);
    view.is_released = state.is_released;
    view.reached = state.reached;
    view.releases = state.releases;
    view.log_start = state.log_start;
    view.tail = tail;
    view.flushed = tail;
    view.epochs.clone_from(&state.epochs);
    view.segments = state.segments.iter().copied().map(Segment::of).collect();
    view.last_lsn = state.applied;
    let (name, genesis) = (state.name.clone(), state.genesis.clone());
    let files = ChannelFiles::recovered(generation, state);
    Ok(Channel::new(uid, name, genesis, view, files))
}

/// Removes what no checkpoint counts: the WAL has it, if it was durable at all.
fn remove_strays<D: Disk>(
    shared: &Shared<D>,
    uid: ChannelUid,
    state: &ChannelState,
    names: &[PathBuf],
) -> Result<(), DiskError> {
    let dir = shared.layout.channel_dir(uid);
    let mut removed = false;
    for name in names {
        let counted = |base| {
            state
                .segments
                .iter()
                .any(|record| record.previous.seq.next() == base)
        };
        let stray_segment =
            segment_base(&name.with_extension("log")).is_some_and(|base| !counted(base));
        let unfinished = name.extension().is_some_and(|end| end == UNFINISHED);
        if stray_segment || unfinished {
            shared.disk.remove(&dir.join(name))?;
            removed = true;
        }
    }
    if removed {
        shared.disk.sync_dir(&dir)?;
    }
    Ok(())
}

/// Takes note of the channel's forks. Their batches are not read.
fn load_forks<D: Disk>(
    shared: &Shared<D>,
    channel: &Channel,
    names: &[PathBuf],
) -> Result<(), DiskError> {
    let ids: Vec<ForkId> = names.iter().filter_map(|name| fork_id(name)).collect();
    if !ids.is_empty() {
        // A process that was killed may have left a name that is not durable. What is shown stays.
        let dir = shared.layout.channel_dir(channel.uid);
        shared.disk.sync_dir(&dir)?;
    }
    for id in ids {
        let path = shared.layout.fork(channel.uid, id);
        match fork::load(&*shared.disk, &path, channel.uid, id)? {
            Ok(fork) => {
                channel.forks().insert(id, fork);
            }
            Err(damage) => shared.note_fork_damage(channel.uid, id, damage),
        }
    }
    Ok(())
}

/// Whether a segment is there and holds as many bytes as the checkpoint counts. What it holds beyond
/// that is cut off.
fn check_segment<D: Disk>(
    shared: &Shared<D>,
    uid: ChannelUid,
    record: &SegmentRecord,
) -> Result<bool, DiskError> {
    let path = shared.layout.segment(uid, record.previous.seq.next());
    let file = match shared.disk.open(&path) {
        Err(error) if error.is_missing() => return Ok(false),
        other => other?,
    };
    let found = file.len()?;
    if found > record.len {
        file.truncate(record.len)?;
        forget_index(shared, &path)?;
    }
    Ok(found >= record.len)
}

/// An index that was kept when the segment held more is not its index any more.
fn forget_index<D: Disk>(shared: &Shared<D>, segment: &Path) -> Result<(), DiskError> {
    match shared.disk.remove(&segment.with_extension("idx")) {
        Err(error) if error.is_missing() => Ok(()),
        other => other,
    }
}
