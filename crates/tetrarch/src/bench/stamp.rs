//! Payloads that tell when they were handed over.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tetrarch_wire::Event;

/// Bytes of a stamp: nanoseconds since the beginning.
const LEN: usize = 8;

/// Makes stamped payloads, and reads the stamps. Both ends are in this process, so one steady
/// clock serves both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamps {
    origin: Instant,
    size: usize,
}

impl Stamps {
    /// Stamps on payloads of `size` bytes.
    pub(super) fn new(size: usize) -> Self {
        Self {
            origin: Instant::now(),
            size: size.max(LEN),
        }
    }

    /// An event that is handed over now, and when that is.
    pub(super) fn event(&self) -> (Event, Instant) {
        let now = Instant::now();
        let nanos = u64::try_from(now.duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX);
        let mut payload = vec![b'.'; self.size];
        payload[..LEN].copy_from_slice(&nanos.to_le_bytes());
        (Event::new(Bytes::from(payload)), now)
    }

    /// How old an event is; `None` if it has no stamp.
    pub(super) fn age(&self, payload: &[u8], now: Instant) -> Option<Duration> {
        let stamp = payload
            .first_chunk()
            .map(|stamp| u64::from_le_bytes(*stamp))?;
        let handed_over = self.origin.checked_add(Duration::from_nanos(stamp))?;
        Some(now.saturating_duration_since(handed_over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_what_has_passed_since_the_stamp() {
        let stamps = Stamps::new(3);
        let (event, then) = stamps.event();
        assert_eq!(event.payload.len(), LEN);
        let later = then + Duration::from_millis(7);
        assert_eq!(
            stamps.age(&event.payload, later),
            Some(Duration::from_millis(7))
        );
        assert_eq!(stamps.age(b"short", later), None);
    }
}
