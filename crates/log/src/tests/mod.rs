//! Tests of the store as a whole, and what they share.

mod enumeration;
mod faults;
mod forks;
mod fuzz;
mod mending;
mod restarts;
mod returning;
mod rot;
mod script;
mod store;
mod verify;

use tetrarch_wire::{Batch, ChannelUid};

pub(crate) use crate::enumeration::batches::{
    Log, channel_uid, draft, identity, open_op, read_on, request, vote,
};
use crate::{Disk, Reader, StoreOptions};

/// Everything small, so that files fill up quickly.
pub(crate) fn small() -> StoreOptions {
    StoreOptions {
        wal_file_bytes: Some(256 * 1024),
        wal_files_max: 3,
        group_max_bytes: 128 * 1024,
        pending_max_bytes: 512 * 1024,
        flush_trigger_bytes: 64 * 1024,
        segment_bytes: 32 * 1024,
        index_interval_bytes: 4 * 1024,
        ballast_bytes: Some(1024 * 1024),
        open_files_max: 4,
        segment_sync_bytes: 16 * 1024,
        ..StoreOptions::default()
    }
}

/// Every batch of a channel that is whole.
pub(crate) fn read_all<D: Disk>(reader: &Reader<D>, channel: ChannelUid) -> Vec<Batch> {
    let (all, refused) = read_on(reader, channel);
    assert!(refused.is_none(), "{channel}: {refused:?}");
    all
}
