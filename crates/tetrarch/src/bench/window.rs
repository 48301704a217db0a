//! The part of a run that counts: after the warm-up, before the load is taken away.

use std::time::{Duration, Instant};

/// From when until when it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from: Instant,
    until: Instant,
}

impl Window {
    /// A window that opens after `warmup` and stays open for `measured`.
    pub(super) fn after(warmup: Duration, measured: Duration) -> Self {
        let from = Instant::now() + warmup;
        Self {
            from,
            until: from + measured,
        }
    }

    /// Whether what happens at `now` counts.
    pub(super) fn counts(&self, now: Instant) -> bool {
        (self.from..self.until).contains(&now)
    }

    /// Whether the load is to go on.
    pub(super) fn is_open(&self) -> bool {
        Instant::now() < self.until
    }

    /// When it opens.
    pub(super) const fn from(&self) -> Instant {
        self.from
    }

    /// When it closes.
    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// How long it is open.
    pub(super) fn length(&self) -> Duration {
        self.until - self.from
    }
}
