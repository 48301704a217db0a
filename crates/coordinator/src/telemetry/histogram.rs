//! A histogram without a lock: every observation is two atomic additions. Sizes are whole numbers
//! (nanoseconds, bytes, requests) and become seconds only when they are shown.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// What a histogram sorts its observations by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Upper bounds, ascending. What exceeds the last one is counted without a bound.
    bounds: &'static [u64],
    /// How many of the counted units make one of the unit that is shown.
    per_shown_unit: f64,
}

/// Nanoseconds, from 50 µs (a sync that the disk's cache answered) to 10 s.
pub(super) const LATENCY: Scale = Scale {
    bounds: &[
        50_000,
        100_000,
        200_000,
        300_000,
        500_000,
        750_000,
        1_000_000,
        1_500_000,
        2_500_000,
        5_000_000,
        10_000_000,
        25_000_000,
        50_000_000,
        100_000_000,
        250_000_000,
        500_000_000,
        1_000_000_000,
        2_500_000_000,
        10_000_000_000,
    ],
    per_shown_unit: 1e9,
};

/// Bytes of a group: from one block to the largest group.
pub(super) const GROUP_BYTES: Scale = Scale {
    bounds: &[
        4_096, 8_192, 16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_048_576, 2_097_152,
        4_194_304, 8_388_608,
    ],
    per_shown_unit: 1.0,
};

/// Requests of a group.
pub(super) const GROUP_REQUESTS: Scale = Scale {
    bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096],
    per_shown_unit: 1.0,
};

/// Observations, counted by size.
#[derive(Debug)]
pub(super) struct Histogram {
    scale: Scale,
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram shows: not cumulative; the last bucket has no bound.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) buckets: Vec<(f64, u64)>,
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl Histogram {
    pub(super) fn new(scale: Scale) -> Self {
        let buckets = (0..=scale.bounds.len())
            .map(|_| AtomicU64::new(0))
            .collect();
        Self {
            scale,
            buckets,
            sum: AtomicU64::new(0),
        }
    }

    pub(super) fn observe(&self, size: u64) {
        let bucket = self.scale.bounds.partition_point(|bound| *bound < size);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(size, Relaxed);
    }

    pub(super) fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The count is the sum of the buckets that are shown, so that the two never disagree.
    pub(super) fn shown(&self) -> Shown {
        let bounds = self
            .scale
            .bounds
            .iter()
            .map(|bound| self.show(*bound))
            .chain([f64::MAX]);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Shown {
            buckets,
            count,
            sum: self.show(self.sum.load(Relaxed)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "what is shown is a measurement")]
    fn show(&self, size: u64) -> f64 {
        size as f64 / self.scale.per_shown_unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_ascend() {
        for scale in [LATENCY, GROUP_BYTES, GROUP_REQUESTS] {
            assert!(scale.bounds.is_sorted_by(|one, two| one < two));
        }
    }

    #[test]
    fn an_observation_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(GROUP_REQUESTS);
        for size in [0, 1, 2, 3, 4, 5_000] {
            histogram.observe(size);
        }
        let shown = histogram.shown();
        assert_eq!(shown.buckets[..3], [(1.0, 2), (2.0, 1), (4.0, 2)]);
        assert_eq!(shown.buckets.last(), Some(&(f64::MAX, 1)));
        assert_eq!(shown.count, 6);
        assert!((shown.sum - 5_010.0).abs() < f64::EPSILON);
    }

    #[test]
    fn time_is_shown_in_seconds() {
        let histogram = Histogram::new(LATENCY);
        histogram.observe_time(Duration::from_millis(2));
        let shown = histogram.shown();
        assert!((shown.sum - 0.002).abs() < 1e-12);
        assert!(shown.buckets.contains(&(0.002_5, 1)), "{shown:?}");
    }
}
