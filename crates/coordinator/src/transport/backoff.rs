//! How long to wait before dialling a peer again: briefly at first, because a node that restarts
//! is back within a few milliseconds, then longer, and never all nodes at the same moment.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// The shortest wait.
const FIRST: Duration = Duration::from_millis(25);
/// The longest.
const LONGEST: Duration = Duration::from_secs(1);

/// The waits between dials.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Begins with the shortest wait.
    pub(super) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// A connection stood: the next wait is short again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// The next wait: between half and all of a span that doubles each time. `chance` is any
    /// number; equal numbers give equal waits.
    pub(super) fn wait(&mut self, chance: u32) -> Duration {
        let span = self.next;
        self.next = (span * 2).min(LONGEST);
        let share = f64::from(chance) / f64::from(u32::MAX);
        span.mul_f64(0.5 + share / 2.0)
    }
}

/// A number that nobody foresees.
pub(super) fn chance() -> u32 {
    let number = RandomState::new().build_hasher().finish();
    (number >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_second_and_start_over() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..8).map(|_| backoff.wait(u32::MAX).as_millis()).collect();
        assert_eq!(waits, [25, 50, 100, 200, 400, 800, 1_000, 1_000]);
        backoff.reset();
        assert_eq!(backoff.wait(u32::MAX), FIRST);
    }

    #[test]
    fn chance_takes_off_up_to_half() {
        assert_eq!(Backoff::new().wait(0), FIRST / 2);
        let middle = Backoff::new().wait(u32::MAX / 2);
        assert!(middle > FIRST / 2 && middle < FIRST);
    }
}
