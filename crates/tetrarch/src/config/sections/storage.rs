//! The disk.

use std::time::Duration;

use crate::config::section::Section;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Most bytes that the data directory is to take, if not all of the filesystem.
    pub max_bytes: Option<u64>,
    /// For how long there must be room again before channels come back.
    pub disk_dwell: Duration,
    /// Bytes read in the background each second to find damage.
    pub scrub_bytes_per_second: u64,
    /// Size of one file of the write-ahead log, if not by the size of the filesystem.
    pub wal_file_bytes: Option<u64>,
    /// Most files of the write-ahead log.
    pub wal_files_max: u64,
    /// Most bytes in memory on their way to segments.
    pub pending_max_bytes: u64,
    /// Bytes in memory from which on they are written out.
    pub flush_trigger_bytes: u64,
    /// Size at which a segment is sealed.
    pub segment_bytes: u64,
    /// Age at which a segment is sealed.
    pub segment_max_age_ms: u64,
    /// Segment files kept open.
    pub open_files_max: u64,
}

impl Storage {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            max_bytes: section.optional_bytes(
                "max_bytes",
                64 * MIB..=1 << 50,
                "all of the filesystem",
                "= \"20GiB\"",
                "Most bytes that the data directory is to take. A node that comes near to it \
                 behaves as if its disk filled up.",
            ),
            disk_dwell: section.millis(
                "disk_dwell_ms",
                30_000,
                0..=DAY_MS,
                "For how long there must be clearly more room on a disk that was too full before \
                 the channels that have withdrawn from it come back.",
            ),
            scrub_bytes_per_second: section.bytes(
                "scrub_bytes_per_second",
                4 * MIB,
                0..=16 * 1024 * MIB,
                "How much of the stored events is read each second in the background, again and \
                 again, to find damaged bytes while other nodes still have them; 0 for none.",
            ),
            wal_file_bytes: section.optional_bytes(
                "wal_file_bytes",
                2 * MIB..=1024 * MIB,
                "a 64th of the filesystem, from 2MiB to 64MiB",
                "= \"64MiB\"",
                "Size of one file of the write-ahead log. Files are written once with zeros and \
                 recycled.",
            ),
            wal_files_max: section.number(
                "wal_files_max",
                4,
                2..=1_024,
                "Most files of the write-ahead log. When all hold events that are in no segment \
                 yet, appends wait.",
            ),
            pending_max_bytes: section.bytes(
                "pending_max_bytes",
                48 * MIB,
                4 * MIB..=4096 * MIB,
                "Most bytes held in memory on their way to segments. Beyond it appends wait.",
            ),
            flush_trigger_bytes: section.bytes(
                "flush_trigger_bytes",
                8 * MIB,
                64 * KIB..=1024 * MIB,
                "From how many such bytes on they are written to segments.",
            ),
            segment_bytes: section.bytes(
                "segment_bytes",
                64 * MIB,
                MIB..=4096 * MIB,
                "Size at which a channel's segment is sealed. Retention drops whole sealed \
                 segments.",
            ),
            segment_max_age_ms: section.number(
                "segment_max_age_ms",
                60 * 60 * 1000,
                1_000..=365 * DAY_MS,
                "Time after which a segment is sealed however small it is, so that retention by \
                 age can drop the events of a quiet channel.",
            ),
            open_files_max: section.number(
                "open_files_max",
                256,
                16..=1_048_576,
                "Most segment files that are kept open.",
            ),
        }
    }
}
