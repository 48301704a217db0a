//! What is shown of the channels that share a value of the label `channel`: of one channel, or of
//! all that have no series of their own. Counts are added up; of lags the worst is shown.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use tetrarch_wire::ReplicaRole;

use super::{cells::Cells, lag::Lag};
use crate::telemetry::labels::Label as _;

/// Counters of channels, including such that are closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) appended_events: u64,
    pub(super) appended_bytes: u64,
    pub(super) delivered_events: u64,
    pub(super) delivered_bytes: u64,
    pub(super) sealed_events: u64,
    pub(super) republished_events: u64,
    pub(super) known_events: u64,
    pub(super) leaderless: Duration,
}

impl Totals {
    pub(super) fn add(&mut self, cells: &Cells) {
        self.appended_events += cells.appended_events.get();
        self.appended_bytes += cells.appended_bytes.get();
        self.delivered_events += cells.delivered_events.get();
        self.delivered_bytes += cells.delivered_bytes.get();
        self.sealed_events += cells.sealed_events.get();
        self.republished_events += cells.republished_events.get();
        self.known_events += cells.known_events.get();
        self.leaderless += cells.leaderless.total();
    }
}

/// Where one channel stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) epoch: u64,
    pub(super) log_start: u64,
    pub(super) tail: u64,
    pub(super) durable: u64,
    pub(super) commit: u64,
}

/// What is shown under one value of the label `channel`.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) totals: Totals,
    /// Only of a channel that has series of its own.
    pub(super) position: Option<Position>,
    pub(super) roles: [u64; ReplicaRole::ALL.len()],
    pub(super) halted: BTreeMap<&'static str, u64>,
    pub(super) limbo: u64,
    pub(super) forks: u64,
    pub(super) fork_events: u64,
    pub(super) lag: BTreeMap<String, (Lag, Duration)>,
    pub(super) subscriptions: u64,
    pub(super) subscription_lag: BTreeMap<String, u64>,
}

impl Summary {
    /// Of channels that are closed.
    pub(super) fn of_closed(totals: Totals) -> Self {
        Self {
            totals,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, cells: &Cells) {
        self.totals.add(cells);
        self.roles[cells.role().index()] += 1;
        if cells.own {
            self.position = Some(position(cells));
        }
        if let Some(word) = cells.halted() {
            *self.halted.entry(word).or_default() += 1;
        }
        self.limbo += u64::from(cells.limbo());
        self.forks += cells.forks.load(Relaxed);
        self.fork_events += cells.fork_events.load(Relaxed);
        self.add_lag(cells);
        self.add_subscriptions(cells);
    }

    fn add_lag(&mut self, cells: &Cells) {
        for replica in cells.replicas.members() {
            let Some((lag, age)) = replica.facts() else {
                continue;
            };
            match self.lag.entry(replica.replica.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert((lag, age));
                }
                Entry::Occupied(mut entry) => {
                    let (known, oldest) = entry.get_mut();
                    *known = worst(known, &lag);
                    *oldest = age.max(*oldest);
                }
            }
        }
    }

    fn add_subscriptions(&mut self, cells: &Cells) {
        for subscription in cells.subscriptions.members() {
            self.subscriptions += 1;
            let lag = self
                .subscription_lag
                .entry(subscription.client.clone())
                .or_default();
            *lag = subscription.lag().max(*lag);
        }
    }
}

fn position(cells: &Cells) -> Position {
    Position {
        epoch: cells.epoch.load(Relaxed),
        log_start: cells.log_start.load(Relaxed),
        tail: cells.tail.load(Relaxed),
        durable: cells.durable.load(Relaxed),
        commit: cells.commit.load(Relaxed),
    }
}

/// The larger of each; what only one of them knows is taken from that one.
fn worst(one: &Lag, other: &Lag) -> Lag {
    Lag {
        events: one.events.max(other.events),
        bytes: one.bytes.max(other.bytes),
        time: one.time.max(other.time),
    }
}
