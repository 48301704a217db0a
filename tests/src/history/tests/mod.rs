//! Histories that are right, and more than twenty that are not, each of which must be rejected by
//! the rule that it breaks.

mod bad;
mod bad_reads;
mod good;

use super::{Append, Drained, EventName, History, Outcome, Read, Stored, Violation};

fn name(producer: u32, number: u64) -> EventName {
    EventName { producer, number }
}

fn payload(producer: u32, number: u64) -> Box<str> {
    format!("{producer}:{number}").into()
}

fn append(producer: u32, number: u64, when: (u64, u64), outcome: Outcome) -> Append {
    Append {
        name: name(producer, number),
        payload: payload(producer, number),
        invoked: when.0,
        completed: when.1,
        outcome,
    }
}

fn acked(seq: u64) -> Outcome {
    Outcome::Acknowledged {
        seq,
        epoch: 1,
        duplicate: false,
    }
}

fn stored(seq: u64, producer: u32, number: u64) -> Stored {
    Stored {
        seq,
        epoch: 1,
        payload: payload(producer, number),
    }
}

fn drained(node: &str, events: &[Stored]) -> Drained {
    Drained {
        node: node.into(),
        events: events.to_vec(),
    }
}

fn read(when: (u64, u64), from: u64, end: u64, bound: u64, events: &[Stored]) -> Read {
    Read {
        node: "n1".into(),
        linearizable: false,
        invoked: when.0,
        completed: when.1,
        from,
        end,
        bound,
        events: events.to_vec(),
    }
}

/// A read that asks for a bound alone.
fn read_index(when: (u64, u64), bound: u64) -> Read {
    Read {
        linearizable: true,
        ..read(when, bound + 1, bound + 1, bound, &[])
    }
}

fn log() -> Vec<Stored> {
    // 1 and 4 are events of the protocol, which nobody sees.
    vec![
        stored(2, 1, 1),
        stored(3, 2, 1),
        stored(5, 1, 2),
        stored(6, 2, 2),
    ]
}

/// Two producers, three nodes, reads of both kinds, and nothing wrong.
fn good() -> History {
    History {
        appends: vec![
            append(1, 1, (10, 20), acked(2)),
            append(2, 1, (15, 30), acked(3)),
            append(1, 2, (40, 50), acked(5)),
            append(2, 2, (45, 60), acked(6)),
        ],
        reads: vec![
            read((21, 25), 1, 3, 2, &log()[..1]),
            read((55, 58), 3, 6, 5, &log()[1..3]),
            read_index((31, 35), 3),
            read_index((61, 65), 6),
        ],
        drained: ["n1", "n2", "n3"]
            .iter()
            .map(|node| drained(node, &log()))
            .collect(),
    }
}

/// Changes the good history; what is found must include exactly this.
fn finds(violation: &Violation, rule: u8, change: impl FnOnce(&mut History)) {
    let mut history = good();
    change(&mut history);
    let found = history.check();
    assert!(found.contains(violation), "not {violation:?}: {found:?}");
    assert_eq!(violation.rule(), rule);
}

/// As [`finds`], and nothing else.
fn finds_only(violation: Violation, rule: u8, change: impl FnOnce(&mut History)) {
    let mut history = good();
    change(&mut history);
    assert_eq!(violation.rule(), rule);
    assert_eq!(history.check(), [violation]);
}
