//! How far others are behind: replicas behind their leader, subscriptions behind the commit. Only
//! what this node knows is shown, with its age; what it does not know is absent, never 0.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::telemetry::cell::Known;

/// How far a replica is behind, as far as this node knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// In events.
    pub events: Option<u64>,
    /// In bytes.
    pub bytes: Option<u64>,
    /// For how long.
    pub time: Option<Duration>,
}

/// The measurements of one replica.
#[derive(Debug)]
pub(super) struct LagCells {
    pub(super) replica: String,
    events: Known,
    bytes: Known,
    nanos: Known,
    /// When the facts were observed, in nanoseconds since `start`.
    observed: Known,
    start: Instant,
}

impl LagCells {
    pub(super) fn new(replica: String) -> Self {
        Self {
            replica,
            events: Known::default(),
            bytes: Known::default(),
            nanos: Known::default(),
            observed: Known::default(),
            start: Instant::now(),
        }
    }

    fn observe(&self, lag: &Lag) {
        self.events.set(lag.events);
        self.bytes.set(lag.bytes);
        self.nanos.set(lag.time.map(nanos));
        self.observed.set(Some(nanos(self.start.elapsed())));
    }

    pub(super) fn forget(&self) {
        for cell in [&self.events, &self.bytes, &self.nanos, &self.observed] {
            cell.set(None);
        }
    }

    /// What is known, and how old it is; `None` if nothing is.
    pub(super) fn facts(&self) -> Option<(Lag, Duration)> {
        let observed = Duration::from_nanos(self.observed.get()?);
        let lag = Lag {
            events: self.events.get(),
            bytes: self.bytes.get(),
            time: self.nanos.get().map(Duration::from_nanos),
        };
        Some((lag, self.start.elapsed().saturating_sub(observed)))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Where one replica's lag is written. Its series exist until this is dropped.
#[derive(Debug)]
pub struct ReplicaTelemetry(pub(super) Arc<LagCells>);

impl ReplicaTelemetry {
    /// How far the replica is behind, from facts that arrived now.
    pub fn observe(&self, lag: &Lag) {
        self.0.observe(lag);
    }

    /// The node does not know any more.
    pub fn forget(&self) {
        self.0.forget();
    }
}

/// The measurements of one subscription.
#[derive(Debug)]
pub(super) struct SubscriptionCells {
    pub(super) client: String,
    lag: AtomicU64,
}

impl SubscriptionCells {
    pub(super) const fn new(client: String) -> Self {
        Self {
            client,
            lag: AtomicU64::new(0),
        }
    }

    pub(super) fn lag(&self) -> u64 {
        self.lag.load(Relaxed)
    }
}

/// Where one subscription's lag is written. It is counted until this is dropped.
#[derive(Debug)]
pub struct SubscriptionTelemetry(pub(super) Arc<SubscriptionCells>);

impl SubscriptionTelemetry {
    /// How many committed events have still to be sent.
    pub fn lag(&self, events: u64) {
        self.0.lag.store(events, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_observed_or_is_forgotten_is_unknown() {
        let cells = LagCells::new("n2".into());
        assert_eq!(cells.facts(), None);
        let lag = Lag {
            events: Some(0),
            bytes: None,
            time: Some(Duration::from_millis(7)),
        };
        cells.observe(&lag);
        assert_eq!(cells.facts().map(|(facts, _)| facts), Some(lag));
        cells.forget();
        assert_eq!(cells.facts(), None);
    }

    #[test]
    fn facts_age() {
        let cells = LagCells::new("n2".into());
        cells.observe(&Lag::default());
        std::thread::sleep(Duration::from_millis(5));
        assert!(cells.facts().unwrap().1 >= Duration::from_millis(5));
    }
}
