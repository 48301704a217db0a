//! Histories in which nothing is wrong, however odd they look.

use super::{acked, append, good, log, read, read_index, stored};
use crate::history::{History, Outcome};

fn accepts(history: &History) {
    assert_eq!(history.check(), []);
}

#[test]
fn nothing_at_all() {
    accepts(&History::default());
}

#[test]
fn two_producers_and_readers_of_both_kinds() {
    accepts(&good());
}

#[test]
fn an_indeterminate_append_that_is_there() {
    let mut history = good();
    history.appends[3].outcome = Outcome::Indeterminate;
    accepts(&history);
}

#[test]
fn an_indeterminate_append_that_is_not_there() {
    let mut history = good();
    history
        .appends
        .push(append(1, 3, (70, 90), Outcome::Indeterminate));
    accepts(&history);
}

#[test]
fn a_refused_append_that_is_not_there() {
    let mut history = good();
    history
        .appends
        .push(append(1, 3, (70, 90), Outcome::Refused));
    accepts(&history);
}

#[test]
fn appends_at_the_same_time_in_either_order() {
    let mut history = good();
    history.appends[1].invoked = 5;
    history.appends[1].completed = 12;
    history.appends[0].completed = 33;
    accepts(&history);
}

#[test]
fn an_append_that_a_later_leader_confirms() {
    let mut history = good();
    history.appends[2].outcome = Outcome::Acknowledged {
        seq: 5,
        epoch: 4,
        duplicate: true,
    };
    accepts(&history);
}

#[test]
fn an_append_that_is_sent_again_long_after_it_was_acknowledged() {
    let mut history = good();
    let again = Outcome::Acknowledged {
        seq: 2,
        epoch: 1,
        duplicate: true,
    };
    history.appends.push(append(1, 1, (80, 90), again));
    accepts(&history);
}

#[test]
fn a_read_that_lags_behind() {
    let mut history = good();
    history.reads.push(read((90, 95), 1, 1, 0, &[]));
    history.reads.push(read((90, 95), 1, 3, 2, &log()[..1]));
    accepts(&history);
}

#[test]
fn a_linearizable_read_during_an_append() {
    let mut history = good();
    history.reads.push(read_index((46, 52), 5));
    history.reads.push(read_index((54, 59), 5));
    accepts(&history);
}

#[test]
fn a_read_that_covers_only_events_of_the_protocol() {
    let mut history = good();
    history.reads.push(read((70, 75), 4, 5, 6, &[]));
    accepts(&history);
}

#[test]
fn a_million_appends_are_checked_at_once() {
    let mut history = History::default();
    let count = 1_000_000;
    let log: Vec<_> = (1..=count)
        .map(|number| stored(number, 1, number))
        .collect();
    history.appends = (1..=count)
        .map(|number| append(1, number, (number * 3, number * 3 + 40), acked(number)))
        .collect();
    history.drained.push(super::drained("n1", &log));
    accepts(&history);
}
