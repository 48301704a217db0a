//! The disk.

use crate::config::section::Section;

const MIB: u64 = 1 << 20;

/// The disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Size of one file of the write-ahead log.
    pub wal_file_bytes: u64,
    /// Most files of the write-ahead log.
    pub wal_files_max: u64,
    /// Size at which a segment is sealed.
    pub segment_bytes: u64,
}

impl Storage {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            wal_file_bytes: section.bytes(
                "wal_file_bytes",
                64 * MIB,
                4 * MIB..=1024 * MIB,
                "Size of one file of the write-ahead log. Files are written once with zeros and \
                 recycled.",
            ),
            wal_files_max: section.number(
                "wal_files_max",
                8,
                2..=1_024,
                "Most files of the write-ahead log. When all hold events that are in no segment \
                 yet, appends wait.",
            ),
            segment_bytes: section.bytes(
                "segment_bytes",
                64 * MIB,
                2 * MIB..=4096 * MIB,
                "Size at which a channel's segment is sealed. Retention drops whole segments.",
            ),
        }
    }
}
