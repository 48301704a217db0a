//! The node's clock and its source of jitter: the only places where time and chance enter.

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tetrarch_replica::{Chance, Moment, Now};

/// The monotonic clock that goes on while the machine is suspended (protocol §16): a node that
/// slept must notice that its leadership ran out.
pub(crate) fn moment() -> Moment {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Moment::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Both clocks at once.
pub(crate) fn now() -> Now {
    Now {
        mono: moment(),
        wall_ms: wall_ms(),
    }
}

/// Milliseconds of Unix time. Informational only; a clock before 1970 reads as 1970.
pub(crate) fn wall_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// Election jitter. Seeded from the operating system; no safety depends on it (protocol §16).
pub(crate) struct Jitter(u64);

impl Jitter {
    /// A differently seeded source each time.
    pub(crate) fn new() -> Self {
        Self(RandomState::new().hash_one("election jitter"))
    }
}

impl Chance for Jitter {
    /// SplitMix64: one addition and two multiplications, evenly distributed.
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
