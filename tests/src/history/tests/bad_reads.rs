//! Histories in which one read is wrong.

use super::{finds_only, log, name, read, read_index, stored};
use crate::history::Violation;

#[test]
fn a_read_with_a_gap() {
    let node: Box<str> = "n1".into();
    let wrong = Violation::WrongSlice {
        read: 4,
        node,
        seq: 3,
    };
    finds_only(wrong, 3, |history| {
        let events = [log()[0].clone(), log()[2].clone()];
        history.reads.push(read((70, 75), 1, 6, 6, &events));
    });
}

#[test]
fn a_read_of_another_event() {
    let node: Box<str> = "n1".into();
    let wrong = Violation::WrongSlice {
        read: 4,
        node,
        seq: 2,
    };
    finds_only(wrong, 3, |history| {
        let events = [stored(2, 2, 1)];
        history.reads.push(read((70, 75), 1, 3, 6, &events));
    });
}

#[test]
fn a_read_of_an_event_that_is_gone_in_the_end() {
    let node: Box<str> = "n1".into();
    let wrong = Violation::WrongSlice {
        read: 4,
        node,
        seq: 7,
    };
    finds_only(wrong, 3, |history| {
        let events = [log()[3].clone(), stored(7, 1, 3)];
        history.reads.push(read((70, 75), 6, 8, 7, &events));
    });
}

#[test]
fn a_read_that_hides_an_event() {
    let node: Box<str> = "n1".into();
    let wrong = Violation::WrongSlice {
        read: 4,
        node,
        seq: 6,
    };
    finds_only(wrong, 3, |history| {
        history.reads.push(read((70, 75), 5, 7, 6, &log()[2..3]));
    });
}

#[test]
fn a_read_with_the_epoch_of_another_history() {
    let node: Box<str> = "n1".into();
    let wrong = Violation::WrongSlice {
        read: 4,
        node,
        seq: 2,
    };
    finds_only(wrong, 3, |history| {
        let mut events = vec![log()[0].clone()];
        events[0].epoch = 9;
        history.reads.push(read((70, 75), 1, 3, 6, &events));
    });
}

#[test]
fn a_read_beyond_its_bound() {
    let beyond = Violation::BeyondBound {
        read: 4,
        node: "n1".into(),
        end: 7,
        bound: 5,
    };
    finds_only(beyond, 3, |history| {
        history.reads.push(read((70, 75), 6, 7, 5, &log()[3..]));
    });
}

#[test]
fn a_linearizable_read_that_misses_an_append() {
    let missed = Violation::MissedAppend {
        read: 4,
        bound: 5,
        event: name(2, 2),
        seq: 6,
    };
    finds_only(missed, 4, |history| {
        history.reads.retain(|read| read.completed < 60);
        history.reads.push(read((55, 58), 6, 6, 5, &[]));
        history.reads.push(read_index((61, 65), 5));
    });
}

#[test]
fn a_linearizable_read_below_an_earlier_bound() {
    let back = Violation::WentBack {
        read: 5,
        bound: 6,
        earlier: 4,
        seen: 7,
    };
    finds_only(back, 4, |history| {
        history.reads.push(read_index((66, 67), 7));
        history.reads.push(read_index((68, 69), 6));
    });
}

#[test]
fn a_linearizable_read_below_what_any_node_had_told() {
    let back = Violation::WentBack {
        read: 5,
        bound: 6,
        earlier: 4,
        seen: 7,
    };
    finds_only(back, 4, |history| {
        history.reads.push(read((66, 67), 8, 8, 7, &[]));
        history.reads.push(read_index((68, 69), 6));
    });
}
