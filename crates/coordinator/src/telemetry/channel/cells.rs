//! What is measured of one channel: written by whoever works on the channel, read by a scrape.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tetrarch_wire::{Epoch, ReplicaRole, Seq};

use super::lag::{LagCells, SubscriptionCells};
use crate::telemetry::cell::{Count, Roll};

/// Where a channel stands on this node, as its replica sees it after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The highest epoch seen.
    pub epoch: Epoch,
    /// Whether the node knows who leads.
    pub leader_known: bool,
    /// First seq that is still in the log.
    pub log_start: Seq,
    /// Last seq in the log.
    pub tail: Seq,
    /// Last durable seq.
    pub durable: Seq,
    /// Last seq known to be committed.
    pub commit: Seq,
}

/// The measurements of one channel.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) name: String,
    /// Whether the channel has series of its own.
    pub(super) own: bool,
    role: AtomicU8,
    halted: Mutex<Option<&'static str>>,
    limbo: AtomicBool,
    /// Kept on this node.
    pub(super) forks: AtomicU64,
    /// In those.
    pub(super) fork_events: AtomicU64,
    pub(super) leaderless: Leaderless,
    pub(super) epoch: AtomicU64,
    pub(super) log_start: AtomicU64,
    pub(super) tail: AtomicU64,
    pub(super) durable: AtomicU64,
    pub(super) commit: AtomicU64,
    pub(super) appended_events: Count,
    pub(super) appended_bytes: Count,
    pub(super) delivered_events: Count,
    pub(super) delivered_bytes: Count,
    pub(super) sealed_events: Count,
    pub(super) republished_events: Count,
    pub(super) known_events: Count,
    pub(super) replicas: Roll<LagCells>,
    pub(super) subscriptions: Roll<SubscriptionCells>,
}

impl Cells {
    pub(super) fn new(name: String, own: bool) -> Self {
        Self {
            name,
            own,
            role: AtomicU8::new(ReplicaRole::Idle.into()),
            halted: Mutex::default(),
            limbo: AtomicBool::default(),
            forks: AtomicU64::default(),
            fork_events: AtomicU64::default(),
            leaderless: Leaderless::since(Instant::now()),
            epoch: AtomicU64::default(),
            log_start: AtomicU64::default(),
            tail: AtomicU64::default(),
            durable: AtomicU64::default(),
            commit: AtomicU64::default(),
            appended_events: Count::default(),
            appended_bytes: Count::default(),
            delivered_events: Count::default(),
            delivered_bytes: Count::default(),
            sealed_events: Count::default(),
            republished_events: Count::default(),
            known_events: Count::default(),
            replicas: Roll::default(),
            subscriptions: Roll::default(),
        }
    }

    pub(super) fn role(&self) -> ReplicaRole {
        // Only `set_role` writes it, from a role.
        ReplicaRole::try_from(self.role.load(Relaxed)).unwrap_or(ReplicaRole::Idle)
    }

    pub(super) fn set_role(&self, role: ReplicaRole, epoch: Epoch) {
        self.role.store(role.into(), Relaxed);
        self.epoch.store(epoch.n, Relaxed);
    }

    pub(super) fn halted(&self) -> Option<&'static str> {
        *self.halted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn halt(&self, word: &'static str) {
        *self.halted.lock().unwrap_or_else(PoisonError::into_inner) = Some(word);
    }

    pub(super) fn limbo(&self) -> bool {
        self.limbo.load(Relaxed)
    }

    pub(super) fn set_limbo(&self, is_in_limbo: bool) {
        self.limbo.store(is_in_limbo, Relaxed);
    }

    pub(super) fn set_forks(&self, forks: u64, events: u64) {
        self.forks.store(forks, Relaxed);
        self.fork_events.store(events, Relaxed);
    }

    pub(super) fn progress(&self, progress: &Progress) {
        self.epoch.store(progress.epoch.n, Relaxed);
        self.log_start.store(progress.log_start.get(), Relaxed);
        self.tail.store(progress.tail.get(), Relaxed);
        self.durable.store(progress.durable.get(), Relaxed);
        self.commit.store(progress.commit.get(), Relaxed);
        self.leaderless.note(progress.leader_known);
    }
}

/// For how long nobody was known to lead.
#[derive(Debug)]
pub(super) struct Leaderless {
    /// What the last note said, so that a note without news reads no clock.
    led: AtomicBool,
    spans: Mutex<Spans>,
}

#[derive(Debug)]
struct Spans {
    open_since: Option<Instant>,
    closed: Duration,
}

impl Leaderless {
    fn since(start: Instant) -> Self {
        let spans = Spans {
            open_since: Some(start),
            closed: Duration::ZERO,
        };
        Self {
            led: AtomicBool::new(false),
            spans: Mutex::new(spans),
        }
    }

    fn note(&self, leader_known: bool) {
        if self.led.swap(leader_known, Relaxed) != leader_known {
            let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
            spans.note(leader_known, Instant::now());
        }
    }

    pub(super) fn total(&self) -> Duration {
        self.spans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .total(Instant::now())
    }
}

impl Spans {
    fn note(&mut self, leader_known: bool, now: Instant) {
        if leader_known {
            self.closed = self.total(now);
            self.open_since = None;
        } else {
            self.open_since = self.open_since.or(Some(now));
        }
    }

    fn total(&self, now: Instant) -> Duration {
        let open = self
            .open_since
            .map_or(Duration::ZERO, |since| now.duration_since(since));
        self.closed + open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_without_a_leader_adds_up_and_counts_while_it_lasts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut spans = Spans {
            open_since: Some(start),
            closed: Duration::ZERO,
        };
        assert_eq!(spans.total(at(2)), Duration::from_secs(2));
        spans.note(true, at(3));
        assert_eq!(spans.total(at(10)), Duration::from_secs(3));
        spans.note(false, at(10));
        spans.note(false, at(11));
        assert_eq!(spans.total(at(12)), Duration::from_secs(5));
        spans.note(true, at(12));
        assert_eq!(spans.total(at(99)), Duration::from_secs(5));
    }

    #[test]
    fn a_channel_is_leaderless_until_it_hears_of_a_leader() {
        let leaderless = Leaderless::since(Instant::now());
        leaderless.note(false);
        assert!(leaderless.spans.lock().unwrap().open_since.is_some());
        leaderless.note(true);
        assert!(leaderless.spans.lock().unwrap().open_since.is_none());
    }
}
