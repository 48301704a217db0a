//! Sizes so small that a short life fills WAL files and segments, and everything wraps.

use crate::StoreOptions;
use crate::disk::BLOCK;

/// WAL files of eight blocks, segments of about one.
pub(crate) fn tiny() -> StoreOptions {
    StoreOptions {
        wal_file_bytes: Some(8 * BLOCK as u64),
        wal_files_max: 3,
        group_max_bytes: 16 * 1024,
        pending_max_bytes: 64 * 1024,
        flush_trigger_bytes: 6 * 1024,
        segment_bytes: 5 * 1024,
        index_interval_bytes: 1024,
        ballast_bytes: Some(32 * BLOCK as u64),
        open_files_max: 2,
        segment_sync_bytes: 4 * 1024,
        ..StoreOptions::default()
    }
}

/// The same with nothing set aside.
pub(crate) fn bare() -> StoreOptions {
    StoreOptions {
        ballast_bytes: Some(0),
        ..tiny()
    }
}

/// The same with WAL files of another size.
pub(crate) fn other_wal() -> StoreOptions {
    StoreOptions {
        wal_file_bytes: Some(6 * BLOCK as u64),
        ..bare()
    }
}

/// WAL files of so many blocks, and many small segments.
pub(crate) fn with_wal_of(blocks: u64) -> StoreOptions {
    StoreOptions {
        wal_file_bytes: Some(blocks * BLOCK as u64),
        segment_bytes: 2500,
        index_interval_bytes: 500,
        ..bare()
    }
}
