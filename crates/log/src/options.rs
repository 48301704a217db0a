//! The sizes by which a store works.

use tetrarch_wire::NodeId;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Smallest default WAL file: the largest request still fits into it.
const WAL_FILE_MIN: u64 = 2 * MIB;
/// Largest default WAL file.
const WAL_FILE_MAX: u64 = 64 * MIB;

/// How a store works. The defaults are for a node of its own; tests make everything smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// The node that the data directory must belong to, if known. `None` opens any.
    pub expect_node: Option<NodeId>,
    /// Most bytes that the store is to take, if it may not fill its filesystem. The sizes that follow
    /// from that of the filesystem then follow from this. Nothing is refused because of it: the node
    /// keeps to it by withdrawing from its channels in time.
    pub max_bytes: Option<u64>,
    /// Bytes of a WAL file. `None`: a 64th of the filesystem, from 2 MiB to 64 MiB.
    pub wal_file_bytes: Option<u64>,
    /// Bytes that are set aside so that a store on a full disk can still be opened. `None`: a
    /// hundredth of the filesystem, at most 1 GiB, but no less than all WAL files together.
    pub ballast_bytes: Option<u64>,
    /// Most WAL files. Default 4.
    pub wal_files_max: usize,
    /// Most bytes of requests in one commit group. Default 4 MiB.
    pub group_max_bytes: usize,
    /// Most bytes of batches that are held in memory on their way to segments; beyond it commits
    /// answer [`crate::GroupError::WalFull`]. Default 48 MiB.
    pub pending_max_bytes: u64,
    /// Bytes of such batches from which on the flusher writes them out. Default 8 MiB.
    pub flush_trigger_bytes: u64,
    /// Bytes from which on a segment is sealed. Default 64 MiB.
    pub segment_bytes: u64,
    /// A segment is also sealed when it spans more than this time, so that retention by age can
    /// drop the events of a quiet channel. Default one hour.
    pub segment_max_age_ms: u64,
    /// Bytes between entries of a segment's sparse index. Default 64 KiB.
    pub index_interval_bytes: u64,
    /// Most segment files that are kept open. Default 256.
    pub open_files_max: usize,
    /// Bytes of segments, written last, that stay in the system's page cache; the rest need not.
    /// Default 16 MiB.
    pub page_cache_bytes: u64,
    /// Unsynced bytes of a channel's segments from which on they are synced without waiting for
    /// the checkpoint, so that the disk is kept evenly busy. Default 4 MiB.
    pub segment_sync_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            expect_node: None,
            max_bytes: None,
            wal_file_bytes: None,
            ballast_bytes: None,
            wal_files_max: 4,
            group_max_bytes: 4 * 1024 * 1024,
            pending_max_bytes: 48 * MIB,
            flush_trigger_bytes: 8 * MIB,
            segment_bytes: 64 * MIB,
            segment_max_age_ms: 60 * 60 * 1000,
            index_interval_bytes: 64 * KIB,
            open_files_max: 256,
            page_cache_bytes: 16 * MIB,
            segment_sync_bytes: 4 * MIB,
        }
    }
}

impl StoreOptions {
    /// Bytes of a WAL file on a filesystem of `total` bytes.
    #[must_use]
    pub fn wal_file_bytes_on(&self, total: u64) -> u64 {
        let total = total.min(self.max_bytes.unwrap_or(u64::MAX));
        self.wal_file_bytes
            .unwrap_or_else(|| (total / 64).clamp(WAL_FILE_MIN, WAL_FILE_MAX))
            .next_multiple_of(crate::disk::BLOCK as u64)
    }

    /// Bytes of ballast on a filesystem of `total` bytes: a start may have to copy the whole WAL.
    #[must_use]
    pub fn ballast_bytes_on(&self, total: u64) -> u64 {
        let total = total.min(self.max_bytes.unwrap_or(u64::MAX));
        self.ballast_bytes.unwrap_or_else(|| {
            let wal = self.wal_file_bytes_on(total) * self.wal_files_max as u64;
            (total / 100).clamp(MIB, 1024 * MIB).max(wal)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wal_files_scale_with_the_filesystem() {
        let options = StoreOptions::default();
        assert_eq!(options.wal_file_bytes_on(256 * MIB), 4 * MIB);
        assert_eq!(options.wal_file_bytes_on(10 * MIB), 2 * MIB);
        assert_eq!(options.wal_file_bytes_on(1024 * 1024 * MIB), 64 * MIB);
    }
}
