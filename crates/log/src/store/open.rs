//! Opening a store.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tetrarch_wire::{Boot, ChannelConfig, ChannelUid, EpochStart, HardState, LogPosition, Seq};

use super::layout::Layout;
use super::meta::{MetaSlot, StoreIdentity};
use crate::channel::Channel;
use crate::disk::Disk;
use crate::flusher::{Flusher, load_snapshot};
use crate::reader::Reader;
use crate::shared::Shared;
use crate::writer::Writer;
use crate::{Damage, LogError, StoreOptions, recovery};

/// A store that serves. The data directory is locked until the writer, the flusher and every
/// reader are dropped.
#[derive(Debug)]
pub struct OpenedStore<D: Disk> {
    /// Who the store is.
    pub identity: StoreIdentity,
    /// Which start of it this is.
    pub boot: Boot,
    /// Writes; belongs to one thread.
    pub writer: Writer<D>,
    /// Copies to segments; belongs to another thread.
    pub flusher: Flusher<D>,
    /// Reads.
    pub reader: Reader<D>,
    /// What was found, by channel.
    pub channels: Vec<RecoveredChannel>,
    /// Channels of which not even the state can be read. They are not open.
    pub lost: Vec<(ChannelUid, Damage)>,
    /// What one of these must promise in the very request that opens it again, if its damage
    /// [lets it begin anew](Damage::may_begin_anew).
    pub limbo: Option<HardState>,
}

/// A channel as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredChannel {
    /// The channel.
    pub channel: ChannelUid,
    /// Its name.
    pub name: String,
    /// Its first configuration.
    pub genesis: ChannelConfig,
    /// The election promise.
    pub hard_state: HardState,
    /// The position before the first event that is kept.
    pub log_start: LogPosition,
    /// The durable end of the log.
    pub tail: LogPosition,
    /// Where the epochs begin that the log holds.
    pub epochs: Vec<EpochStart>,
    /// A lower bound of what is committed.
    pub commit_hint: Seq,
    /// The latest snapshot, with the seq it stands for.
    pub snapshot: Option<(Seq, Bytes)>,
    /// Why the channel takes no appends, if it is damaged.
    pub halted: Option<Damage>,
    /// What this start found to be missing from the write-ahead log, if that is why the channel is in
    /// limbo.
    pub doubt: Option<Damage>,
    /// Whether the store holds the channel, and has not let go of it.
    pub is_held: bool,
    /// How far the log went, by rank, before the store let go of it: no vote may go to a candidate whose
    /// log goes less far. The origin if it never let go.
    pub reached: LogPosition,
    /// How often the store has let go of it.
    pub releases: u64,
}

/// Opens the store in `dir`: one more boot, everything durable recovered.
///
/// # Errors
/// If the directory is not formatted, in use, another node's, or the disk refuses. Damage to
/// single channels is not an error; it is reported with them.
pub fn open<D: Disk>(
    disk: Arc<D>,
    dir: &Path,
    options: StoreOptions,
) -> Result<OpenedStore<D>, LogError> {
    let layout = Layout::new(dir);
    // A directory that is no store does not even get a lock file.
    MetaSlot::load(&*disk, &layout)?;
    let held = disk.lock(&layout.lock())?.ok_or_else(|| LogError::InUse {
        dir: dir.to_owned(),
    })?;
    let mut meta = MetaSlot::load(&*disk, &layout)?;
    let identity = meta.meta.identity.clone();
    check_node(dir, &identity, &options)?;
    let boot = meta.meta.boot.next();
    meta.meta.boot = boot;
    meta.save(&*disk, &layout)?;
    let wal_file_bytes = options.wal_file_bytes_on(disk.free_space(dir)?.total);
    let shared = Arc::new(Shared::new(disk, layout, identity.store, options, held));
    let mut flusher = Flusher::new(Arc::clone(&shared), meta, wal_file_bytes);
    let (writer, lost, limbo) = recovery::recover(&shared, &mut flusher, wal_file_bytes)?;
    let mut channels = Vec::new();
    for channel in shared.channels() {
        channels.push(describe(&shared, &channel)?);
    }
    Ok(OpenedStore {
        identity,
        boot,
        writer,
        flusher,
        reader: Reader::new(shared),
        channels,
        lost: lost.into_iter().collect(),
        limbo,
    })
}

fn check_node(
    dir: &Path,
    identity: &StoreIdentity,
    options: &StoreOptions,
) -> Result<(), LogError> {
    match options.expect_node {
        Some(expected) if expected != identity.node => Err(LogError::WrongNode {
            dir: dir.to_owned(),
            expected,
            found: identity.node,
            name: identity.name.clone(),
        }),
        _ => Ok(()),
    }
}

pub(crate) fn describe<D: Disk>(
    shared: &Shared<D>,
    channel: &Channel,
) -> Result<RecoveredChannel, LogError> {
    let loaded = if channel.view().has_outdated_snapshot() {
        Ok(None)
    } else {
        load_snapshot(&*shared.disk, &shared.layout, channel.uid)
    };
    let snapshot = match loaded {
        Ok(snapshot) => snapshot,
        Err(Some(error)) => return Err(error.into()),
        Err(None) => {
            let mut view = channel.view();
            // Without the snapshot the table is made from the log, if it is all there.
            if view.log_start.seq > Seq::ZERO && view.halted.is_none() {
                view.halted = Some(Damage::SnapshotLost);
            }
            None
        }
    };
    let view = channel.view();
    Ok(RecoveredChannel {
        channel: channel.uid,
        name: channel.name.clone(),
        genesis: channel.genesis.clone(),
        hard_state: view.hard_state,
        log_start: view.log_start,
        tail: view.tail,
        epochs: view.epochs.clone(),
        commit_hint: view.commit_hint,
        snapshot,
        halted: view.halted.clone(),
        doubt: view.doubt.clone(),
        is_held: !view.is_released,
        reached: view.reached,
        releases: view.releases,
    })
}
