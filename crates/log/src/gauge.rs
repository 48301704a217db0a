//! Figures about a store and its channels.

use tetrarch_wire::LogPosition;

use crate::Damage;
use crate::channel::Channel;
use crate::disk::Disk;
use crate::shared::Shared;

/// Figures of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelStats {
    /// The position before the first event that is kept.
    pub log_start: LogPosition,
    /// The durable end of the log.
    pub tail: LogPosition,
    /// How many segments there are.
    pub segments: usize,
    /// Bytes in them.
    pub segment_bytes: u64,
    /// Bytes of batches that only the WAL and memory hold.
    pub pending_bytes: u64,
    /// How many forks there are.
    pub forks: usize,
    /// Bytes of their batches. They are kept until each fork is dropped, whatever is trimmed.
    pub fork_bytes: u64,
    /// Why the channel takes nothing any more, if so.
    pub halted: Option<Damage>,
}

/// Figures of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStats {
    /// Channels that it holds.
    pub channels: usize,
    /// Bytes of batches that only the WAL and memory hold.
    pub pending_bytes: u64,
    /// WAL files that wait for the flusher.
    pub wal_full: usize,
    /// WAL files that are ready to be written.
    pub wal_ready: usize,
    /// Why the store is lost to this process, if it is.
    pub poisoned: Option<String>,
}

impl ChannelStats {
    pub(crate) fn of(channel: &Channel) -> Self {
        let forks = channel.forks();
        let (count, bytes) = (
            forks.len(),
            forks.values().map(|fork| fork.summary.bytes).sum(),
        );
        drop(forks);
        let view = channel.view();
        Self {
            log_start: view.log_start,
            tail: view.tail,
            segments: view.segments.len(),
            segment_bytes: view.segments.iter().map(|segment| segment.record.len).sum(),
            pending_bytes: view.pending_bytes(),
            forks: count,
            fork_bytes: bytes,
            halted: view.halted.clone(),
        }
    }
}

impl StoreStats {
    pub(crate) fn of<D: Disk>(shared: &Shared<D>) -> Self {
        let (wal_full, wal_ready) = shared.wal.counts();
        let channels = shared.channels().into_iter();
        let held = channels.filter(|channel| !channel.view().is_released);
        Self {
            channels: held.count(),
            pending_bytes: shared.pending_bytes(),
            wal_full,
            wal_ready,
            poisoned: shared.poisoned(),
        }
    }
}
