//! The telemetry as a scraper and a reader of logs see it.

mod channels;
mod exposition;
mod log;
mod roles;

use std::time::{Duration, UNIX_EPOCH};

use tetrarch_fsm::{StateTransition, TransitionSignal};
use tetrarch_replica::RoleChange;
use tetrarch_wire::{Epoch, Link, LogPosition, ReplicaRole, Seq, VoterId};

use super::*;

fn telemetry() -> Telemetry {
    limited(SeriesLimit::default())
}

fn limited(limit: SeriesLimit) -> Telemetry {
    let started = UNIX_EPOCH + Duration::from_millis(1_500);
    let info = NodeInfo {
        node: "n1".into(),
        cluster: "c0ffee".into(),
        started,
    };
    Telemetry::new(info, limit)
}

/// The value of one series, by the name and labels as they are written; `None` if it is absent.
fn value(telemetry: &Telemetry, series: &str) -> Option<f64> {
    let text = telemetry.encode();
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = lines.next().map(|value| value.parse().unwrap());
    assert_eq!(lines.next(), None, "{series} is there twice");
    value
}

fn change(from: ReplicaRole, to: ReplicaRole, signal: TransitionSignal) -> RoleChange {
    let epoch = Epoch::new(7, VoterId::from_bytes([0xab; 16]));
    RoleChange {
        transition: StateTransition::apply(from, to, signal).unwrap(),
        epoch,
        reason: "because",
        tail: LogPosition {
            seq: Seq::new(12),
            epoch,
            link: Link::from_bytes([0; 16]),
        },
        durable: Seq::new(11),
        commit: Seq::new(10),
    }
}
