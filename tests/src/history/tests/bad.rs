//! Histories in which one append, or the log itself, is wrong. Each test says what, and which rule
//! must find it.

use super::{acked, append, drained, finds, finds_only, log, name, payload, stored};
use crate::history::{History, Outcome, Stored, Violation};

fn every_log(history: &mut History, change: impl Fn(&mut Vec<Stored>)) {
    for node in &mut history.drained {
        change(&mut node.events);
    }
    history.reads.clear();
}

#[test]
fn lost_at_the_end() {
    let event = name(2, 2);
    finds_only(Violation::Lost { event, seq: 6 }, 1, |history| {
        every_log(history, |log| log.truncate(3));
    });
}

#[test]
fn lost_at_the_beginning() {
    let event = name(1, 1);
    finds_only(Violation::Lost { event, seq: 2 }, 1, |history| {
        every_log(history, |log| drop(log.remove(0)));
    });
}

#[test]
fn lost_in_the_middle() {
    let event = name(2, 1);
    finds_only(Violation::Lost { event, seq: 3 }, 1, |history| {
        every_log(history, |log| drop(log.remove(1)));
    });
}

#[test]
fn everything_lost() {
    let event = name(1, 2);
    finds(&Violation::Lost { event, seq: 5 }, 1, |history| {
        history.drained.clear();
    });
}

#[test]
fn moved() {
    let event = name(2, 2);
    let found = 7;
    finds_only(
        Violation::Moved {
            event,
            seq: 6,
            found,
        },
        1,
        |history| {
            every_log(history, |log| log[3].seq = 7);
        },
    );
}

#[test]
fn two_acknowledged_at_one_position() {
    let shared = Violation::SharedPosition {
        one: name(1, 2),
        other: name(2, 2),
        seq: 5,
    };
    finds(&shared, 1, |history| {
        history.appends[3].outcome = acked(5);
    });
}

#[test]
fn two_events_swapped_their_places() {
    let moved = Violation::Moved {
        event: name(1, 2),
        seq: 5,
        found: 6,
    };
    finds(&moved, 1, |history| {
        every_log(history, |log| {
            log[2].payload = payload(2, 2);
            log[3].payload = payload(1, 2);
        });
    });
}

#[test]
fn acknowledged_in_an_epoch_before_that_of_the_event() {
    let wrong = Violation::WrongEpoch {
        event: name(2, 2),
        told: 1,
        stored: 2,
    };
    finds_only(wrong, 1, |history| {
        every_log(history, |log| log[3].epoch = 2);
    });
}

#[test]
fn acknowledged_first_in_an_epoch_after_that_of_the_event() {
    let wrong = Violation::WrongEpoch {
        event: name(1, 1),
        told: 3,
        stored: 1,
    };
    finds_only(wrong, 1, |history| {
        history.appends[0].outcome = Outcome::Acknowledged {
            seq: 2,
            epoch: 3,
            duplicate: false,
        };
    });
}

#[test]
fn a_producer_forgotten() {
    let event = name(1, 3);
    finds_only(Violation::Forgotten { event }, 1, |history| {
        let forgotten = append(1, 3, (70, 80), Outcome::Forgotten);
        history.appends.push(forgotten);
    });
}

#[test]
fn before_what_was_acknowledged_before() {
    let back = Violation::BackInTime {
        earlier: name(2, 1),
        before: 3,
        later: name(1, 1),
        seq: 2,
    };
    finds_only(back, 2, |history| {
        history.reads.clear();
        history.appends[0].invoked = 31;
        history.appends[0].completed = 38;
    });
}

#[test]
fn an_indeterminate_append_before_what_was_acknowledged_before_it_was_sent() {
    let back = Violation::BackInTime {
        earlier: name(2, 2),
        before: 6,
        later: name(3, 1),
        seq: 4,
    };
    finds_only(back, 2, |history| {
        history
            .appends
            .push(append(3, 1, (70, 90), Outcome::Indeterminate));
        every_log(history, |log| log.insert(2, stored(4, 3, 1)));
    });
}

#[test]
fn a_repeated_append_acknowledged_elsewhere() {
    let elsewhere = Violation::DuplicateElsewhere {
        event: name(1, 1),
        first: 2,
        again: 8,
    };
    finds(&elsewhere, 5, |history| {
        let again = Outcome::Acknowledged {
            seq: 8,
            epoch: 1,
            duplicate: true,
        };
        history.appends.push(append(1, 1, (70, 80), again));
    });
}

#[test]
fn an_acknowledged_append_there_twice() {
    let repeated = Violation::Repeated {
        event: name(2, 2),
        first: 6,
        again: 7,
    };
    finds_only(repeated, 6, |history| {
        every_log(history, |log| log.push(stored(7, 2, 2)));
    });
}

#[test]
fn an_indeterminate_append_there_twice() {
    let repeated = Violation::Repeated {
        event: name(1, 3),
        first: 7,
        again: 9,
    };
    finds_only(repeated, 6, |history| {
        history
            .appends
            .push(append(1, 3, (70, 80), Outcome::Indeterminate));
        every_log(history, |log| {
            log.extend([stored(7, 1, 3), stored(9, 1, 3)]);
        });
    });
}

#[test]
fn a_refused_append_there() {
    let event = name(1, 3);
    finds_only(Violation::RefusedButThere { event, seq: 7 }, 6, |history| {
        history
            .appends
            .push(append(1, 3, (70, 80), Outcome::Refused));
        every_log(history, |log| log.push(stored(7, 1, 3)));
    });
}

#[test]
fn an_event_that_nobody_sent() {
    let stranger = Violation::Stranger {
        seq: 9,
        payload: payload(7, 1),
    };
    finds_only(stranger, 7, |history| {
        every_log(history, |log| log.push(stored(9, 7, 1)));
    });
}

#[test]
fn a_producer_out_of_order() {
    let reordered = Violation::Reordered {
        event: name(1, 3),
        seq: 8,
        later: name(1, 4),
    };
    finds_only(reordered, 7, |history| {
        // On their way at once, so real time allows either order.
        history.appends.push(append(1, 3, (70, 90), acked(8)));
        history.appends.push(append(1, 4, (71, 90), acked(7)));
        every_log(history, |log| {
            log.extend([stored(7, 1, 4), stored(8, 1, 3)]);
        });
    });
}

#[test]
fn nodes_that_differ_in_the_middle() {
    let diverged = Violation::Diverged {
        node: "n3".into(),
        other: "n1".into(),
        seq: 3,
    };
    finds_only(diverged, 8, |history| {
        history.drained[2].events[1].payload = payload(1, 9);
    });
}

#[test]
fn a_node_that_lacks_the_end() {
    let diverged = Violation::Diverged {
        node: "n2".into(),
        other: "n1".into(),
        seq: 6,
    };
    finds_only(diverged, 8, |history| {
        history.drained[1] = drained("n2", &log()[..3]);
    });
}

#[test]
fn a_node_that_has_more_than_the_others() {
    let diverged = Violation::Diverged {
        node: "n2".into(),
        other: "n1".into(),
        seq: 8,
    };
    finds_only(diverged, 8, |history| {
        history.drained[1].events.push(stored(8, 1, 3));
    });
}

#[test]
fn a_log_that_goes_back() {
    let back = Violation::NotAscending { seq: 3, next: 2 };
    finds_only(back, 8, |history| {
        every_log(history, |log| log[2].seq = 2);
    });
}
