//! How long to wait before the next try: twice as long each time up to a limit, with jitter, so
//! that many clients that lost the same node do not come back at the same moment.

use std::time::Duration;

use crate::tls::random_bytes;

/// A sequence of waits.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    limit: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, limit: Duration) -> Self {
        Self {
            first,
            limit,
            next: first,
        }
    }

    /// The next wait: between half and all of the nominal one.
    pub(crate) fn next(&mut self) -> Duration {
        let nominal = self.next;
        self.next = (nominal * 2).min(self.limit);
        nominal / 2 + (nominal / 2).mul_f64(fraction())
    }

    /// Something succeeded: begin anew.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A random number in 0..1. Without randomness nothing could have been encrypted either, so the
/// fallback only keeps this total.
pub(crate) fn fraction() -> f64 {
    random_bytes().map_or(0.5, |bytes| {
        f64::from(u32::from_le_bytes(bytes)) / 4_294_967_296.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(40));
        for nominal in [10, 20, 40, 40] {
            let wait = backoff.next();
            assert!(wait >= Duration::from_millis(nominal / 2), "{wait:?}");
            assert!(wait <= Duration::from_millis(nominal), "{wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(10));
    }
}
