//! What is counted while a load runs, by everything that takes part in it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::window::Window;
use crate::error::Error;

/// The longest time that is told from longer ones, in microseconds.
const LONGEST_US: u64 = 120_000_000;
/// Digits of a time that are kept.
const DIGITS: u8 = 3;

/// Times in microseconds.
pub(super) type Times = Histogram<u64>;

/// The counts.
#[derive(Debug)]
pub(super) struct Counts {
    /// Events acknowledged in the window.
    pub(super) acknowledged: u64,
    /// Events that were not acknowledged, in the window or not.
    pub(super) failed: u64,
    /// Why the first of them was not.
    pub(super) first_failure: Option<String>,
    /// On how many stores the least durable acknowledged event is.
    pub(super) copies: u8,
    /// From handing over to acknowledgement.
    pub(super) acks: Times,
    /// From handing over to delivery.
    pub(super) deliveries: Times,
}

/// Counts that are shared by everything that takes part.
#[derive(Debug)]
pub(super) struct Tally {
    window: Window,
    counts: Mutex<Counts>,
}

impl Tally {
    /// Counts what falls into `window`.
    ///
    /// # Errors
    /// None that can happen: the bounds of the histogram are valid.
    pub(super) fn new(window: Window) -> Result<Self, Error> {
        let counts = Counts {
            acknowledged: 0,
            failed: 0,
            first_failure: None,
            copies: u8::MAX,
            acks: times()?,
            deliveries: times()?,
        };
        Ok(Self {
            window,
            counts: Mutex::new(counts),
        })
    }

    /// The window.
    pub(super) const fn window(&self) -> &Window {
        &self.window
    }

    /// Events that were handed over together are acknowledged now.
    pub(super) fn acknowledged(&self, events: u64, handed_over: Instant, copies: u8) {
        let now = Instant::now();
        if !self.window.counts(now) {
            return;
        }
        let mut counts = self.lock();
        counts.acknowledged += events;
        counts.copies = counts.copies.min(copies);
        record(&mut counts.acks, now.duration_since(handed_over), events);
    }

    /// Events will not be acknowledged.
    pub(super) fn failed(&self, events: u64, why: &impl ToString) {
        let mut counts = self.lock();
        counts.failed += events;
        counts.first_failure.get_or_insert_with(|| why.to_string());
    }

    /// Events of these ages are delivered now.
    pub(super) fn delivered(&self, now: Instant, ages: impl Iterator<Item = Duration>) {
        if !self.window.counts(now) {
            return;
        }
        let mut counts = self.lock();
        for age in ages {
            record(&mut counts.deliveries, age, 1);
        }
    }

    /// The counts so far.
    pub(super) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No times yet.
pub(super) fn times() -> Result<Times, Error> {
    Times::new_with_bounds(1, LONGEST_US, DIGITS)
        .map_err(|error| Error::Invalid(format!("no histogram: {error}")))
}

/// Notes that so many took so long.
pub(super) fn record(times: &mut Times, time: Duration, count: u64) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    times.saturating_record_n(micros.max(1), count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_falls_into_the_window_counts_but_every_failure_does() {
        let hour = Duration::from_secs(3_600);
        let closed = Tally::new(Window::after(hour, hour)).unwrap();
        closed.acknowledged(5, Instant::now(), 2);
        closed.failed(1, &"first");
        closed.failed(2, &"second");
        let counts = closed.lock();
        assert_eq!((counts.acknowledged, counts.failed), (0, 3));
        assert_eq!(counts.first_failure.as_deref(), Some("first"));
        let open = Tally::new(Window::after(Duration::ZERO, hour)).unwrap();
        open.acknowledged(5, Instant::now(), 3);
        open.acknowledged(5, Instant::now(), 2);
        let counts = open.lock();
        assert_eq!((counts.acknowledged, counts.copies), (10, 2));
    }
}
