//! How full a disk is, with hysteresis: a level is entered at once and left only when there is
//! clearly more room for a while, so that channels do not come and go (protocol §12).

use std::time::Duration;

use tetrarch_wire::frame::DiskLevel;

use crate::Moment;

/// Free space below which a level is entered: a share of the disk in percent, of a large disk no more
/// than so many bytes, and so many files of the write-ahead log, whichever is more.
struct Threshold {
    percent: u64,
    most: u64,
    files: u64,
}

const GIB: u64 = 1 << 30;

const LOW: Threshold = Threshold {
    percent: 10,
    most: 16 * GIB,
    files: 4,
};
const CRITICAL: Threshold = Threshold {
    percent: 5,
    most: 8 * GIB,
    files: 2,
};
const FULL: Threshold = Threshold {
    percent: 1,
    most: GIB,
    files: 0,
};
/// So much more than what entered [`LOW`] must be free before any level is left.
const MARGIN: Threshold = Threshold {
    percent: 5,
    most: 8 * GIB,
    files: 0,
};

impl Threshold {
    const fn bytes(&self, size: u64, file: u64) -> u64 {
        let share = size / 100 * self.percent;
        let share = if share < self.most { share } else { self.most };
        let files = self.files * file;
        // What a log file takes is not more than a part of a small disk.
        let files = if files < size / 2 { files } else { size / 2 };
        if share > files { share } else { files }
    }
}

/// Follows the level of one disk.
#[derive(Clone, Debug)]
pub struct DiskGauge {
    /// Size of a file of the write-ahead log, in bytes.
    wal_file: u64,
    /// For how long there must be room before a level is left.
    dwell: Duration,
    level: DiskLevel,
    /// Since when there has been room enough to leave the level.
    roomy_since: Option<Moment>,
}

impl DiskGauge {
    /// For how long there must be room again, unless something else is said (protocol §16).
    pub const DWELL: Duration = Duration::from_secs(30);

    /// The gauge of a disk on which files of the write-ahead log take `wal_file` bytes.
    #[must_use]
    pub const fn new(wal_file: u64, dwell: Duration) -> Self {
        Self {
            wal_file,
            dwell,
            level: DiskLevel::Green,
            roomy_since: None,
        }
    }

    /// The level as of the last look.
    #[must_use]
    pub const fn level(&self) -> DiskLevel {
        self.level
    }

    /// The disk has `size` bytes, of which `free` are free. Gives the level.
    pub fn look(&mut self, free: u64, size: u64, now: Moment) -> DiskLevel {
        let entered = self.level_of(free, size);
        if entered > self.level {
            self.level = entered;
        }
        let leaves = LOW.bytes(size, self.wal_file) + MARGIN.bytes(size, self.wal_file);
        if free < leaves {
            self.roomy_since = None;
        } else {
            let since = *self.roomy_since.get_or_insert(now);
            if now.since(since) >= self.dwell {
                self.level = DiskLevel::Green;
            }
        }
        self.level
    }

    /// A write found no room, whatever the disk says of itself.
    pub fn refused(&mut self) {
        self.level = DiskLevel::Full;
        self.roomy_since = None;
    }

    const fn level_of(&self, free: u64, size: u64) -> DiskLevel {
        if free < FULL.bytes(size, self.wal_file) {
            DiskLevel::Full
        } else if free < CRITICAL.bytes(size, self.wal_file) {
            DiskLevel::Critical
        } else if free < LOW.bytes(size, self.wal_file) {
            DiskLevel::Low
        } else {
            DiskLevel::Green
        }
    }
}
