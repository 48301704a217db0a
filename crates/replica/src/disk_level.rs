//! How full a disk is, as nodes tell each other (protocol §12). So far it only keeps new channels
//! away from full nodes; nothing withdraws because of it yet.

use tetrarch_wire::frame::DiskLevel;

/// Below this share of free space a node takes no new channel, in percent.
const LOW_PERCENT: u64 = 10;
/// Below this share channels are to withdraw, in percent.
const CRITICAL_PERCENT: u64 = 5;
/// Below this share nothing is written, in percent.
const FULL_PERCENT: u64 = 1;

/// The level of a disk of `size` bytes of which `free` are free.
#[must_use]
pub const fn disk_level(free: u64, size: u64) -> DiskLevel {
    if free < size / 100 * FULL_PERCENT {
        DiskLevel::Full
    } else if free < size / 100 * CRITICAL_PERCENT {
        DiskLevel::Critical
    } else if free < size / 100 * LOW_PERCENT {
        DiskLevel::Low
    } else {
        DiskLevel::Green
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_the_free_share() {
        let level = |free| disk_level(free, 1_000);
        assert_eq!(level(100), DiskLevel::Green);
        assert_eq!(level(99), DiskLevel::Low);
        assert_eq!(level(49), DiskLevel::Critical);
        assert_eq!(level(9), DiskLevel::Full);
    }
}
