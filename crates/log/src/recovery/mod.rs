//! From what a stop left behind to a store that serves.
//!
//! The channels' checkpoints are loaded; the groups that the last serving boot wrote are read
//! back, judged, and every record that no checkpoint holds is committed once more, to WAL files
//! of this boot: what the page cache says after an unclean stop is not believed until it was
//! written and synced again (protocol §11.2). Records keep their numbers, so that doing this twice
//! is the same as doing it once. Only then does this boot count.

mod channels;
pub(crate) mod judge;
mod replay;
pub(crate) mod salvage;
mod wal_files;

use std::collections::BTreeMap;
use std::sync::Arc;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{ChannelUid, HardState};

use crate::disk::Disk;
use crate::flusher::Flusher;
use crate::shared::Shared;
use crate::store::epochs::EpochBound;
use crate::wal::group::WalSeed;
use crate::writer::Writer;
use crate::{Damage, LogError};
use replay::Replay;
use wal_files::Inventory;

/// Channels of which not even the state can be read.
pub(crate) type Lost = BTreeMap<ChannelUid, Damage>;

/// Recovers the store; `flusher` holds its state with this boot's number in it already.
pub(crate) fn recover<D: Disk>(
    shared: &Arc<Shared<D>>,
    flusher: &mut Flusher<D>,
    wal_file_bytes: u64,
) -> Result<(Writer<D>, Lost, Option<HardState>), LogError> {
    sync_names(shared)?;
    let mut lost = channels::load(shared)?;
    let meta = flusher.meta_mut().meta.clone();
    let seed = WalSeed::of(meta.identity.store);
    let mut inventory = Inventory::take(shared, &meta, seed, wal_file_bytes)?;
    let missing = inventory.missing();
    flusher.meta_mut().meta.wal_last = meta.wal_last.max(inventory.newest());
    let steps = judge::judge(inventory.scanned());
    let current = inventory.first_file(flusher)?;
    let first_new = current.incarnation;
    let epochs = EpochBound::load(&*shared.disk, &shared.layout, meta.served_boot)?;
    let mut writer = Writer::new(Arc::clone(shared), seed, (meta.boot, epochs), current);
    for channel in shared.channels() {
        writer.adopt(&channel);
    }
    inventory.offer_ready(flusher)?;
    if planted(Mutant::ServesBeforeReplayed) {
        flusher.meta_mut().meta.served_boot = meta.boot;
        flusher.meta_mut().meta.wal_floor = first_new;
        flusher.meta_mut().meta.wal_file_bytes = wal_file_bytes;
        flusher.save_meta()?;
    }
    let replay = Replay::new(shared, &mut writer, flusher, &mut lost, wal_file_bytes);
    let rotten = replay.run(&inventory, &steps, seed, missing)?;
    let limbo = if lost.values().any(Damage::may_begin_anew) {
        writer.in_limbo()?
    } else {
        None
    };
    writer.settle_epochs(!lost.is_empty())?;
    flusher.meta_mut().meta.served_boot = meta.boot;
    flusher.meta_mut().meta.wal_floor = first_new;
    flusher.meta_mut().meta.wal_file_bytes = wal_file_bytes;
    flusher.save_meta()?;
    // What a killed process left in the page cache only is durable from here on. A trace of it that
    // came earlier would outlive it.
    let traces = writer.leave_traces(&shared.channels());
    traces.map_err(|error| shared.poison_if_fatal(error))?;
    inventory.retire(flusher, first_new, &rotten)?;
    Ok((writer, lost, limbo))
}

/// The process before this one may have died between giving a name and making it durable. What is
/// built on a name from here on must not lose it. Where deleted channels go comes first: a name
/// that is gone from one directory must not be gone before it is in the other.
fn sync_names<D: Disk>(shared: &Shared<D>) -> Result<(), LogError> {
    let layout = &shared.layout;
    for dir in [
        layout.deleted_dir(),
        layout.channels_dir(),
        layout.wal_dir(),
    ] {
        shared.disk.sync_dir(&dir)?;
    }
    Ok(())
}
