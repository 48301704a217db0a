//! What the fuzzer tries on the protocol core, on the stable compiler: every kept input, and inputs
//! that a seed makes up.

#[path = "../../../../fuzz/oracle/beats/mod.rs"]
#[allow(unreachable_pub)]
mod beats;
#[path = "../../../../fuzz/oracle/cursor.rs"]
mod cursor;
#[path = "../../../../fuzz/oracle/evil_peer/mod.rs"]
#[allow(unreachable_pub)]
mod evil_peer;
#[path = "../../../../fuzz/oracle/producers.rs"]
#[allow(unreachable_pub)]
mod producers;
#[path = "../../../../fuzz/oracle/records.rs"]
#[allow(unreachable_pub)]
mod records;
#[path = "../../../../fuzz/oracle/replay.rs"]
mod replay;
#[path = "../../../../fuzz/oracle/trace.rs"]
mod trace;

use std::{collections::BTreeMap, sync::Mutex};

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("genesis", records::genesis),
    ("catalog", records::catalog),
    ("producers", producers::producers),
    ("beats", beats::beats),
    ("evil_peer", evil_peer::evil_peer),
];

/// How often each thing has happened.
type Tally = BTreeMap<&'static str, u64>;

#[test]
fn every_kept_input_passes_its_oracle() {
    replay::are_all(&TARGETS.map(|(target, _)| target));
    for (target, check) in TARGETS {
        replay::kept(target, check);
    }
}

#[test]
fn made_up_records_pass_their_oracles() {
    for check in [records::genesis, records::catalog, producers::producers] {
        replay::made_up(10_000, 200, check);
    }
}

/// Makes up lives, and sees to it that each of these things happened in them.
fn live(lives: u64, most: usize, live: fn(&[u8]) -> Tally, all: &[&str]) {
    let happened = Mutex::new(Tally::new());
    replay::made_up(lives, most, |bytes| {
        let life = live(bytes);
        let mut happened = happened.lock().expect("no life ends while it is counted");
        for (what, times) in life {
            *happened.entry(what).or_default() += times;
        }
    });
    let happened = happened
        .into_inner()
        .expect("no life ends while it is counted");
    let often = |what: &&&str| happened.get(**what).is_some_and(|times| *times >= 20);
    let rare: Vec<_> = all.iter().filter(|what| !often(what)).collect();
    assert!(
        !replay::is_usual() || rare.is_empty(),
        "{rare:?} hardly ever happened: {happened:#?}"
    );
}

#[test]
fn no_lie_makes_an_honest_replica_break_a_promise() {
    let all = [
        "acknowledgements",
        "appends taken",
        "candidacies",
        "chunks served",
        "commits counted",
        "commits told",
        "committed reads",
        "cuts refused",
        "deposed",
        "elections won",
        "events appended",
        "failed writes",
        "gaps refused",
        "handovers ordered",
        "majorities lost",
        "out of order",
        "outsiders",
        "points named",
        "pulls",
        "read indexes",
        "restarts",
        "trims",
        "truncations",
        "votes",
    ];
    live(20_000, 700, evil_peer::live, &all);
}

#[test]
fn no_lie_in_beats_is_believed_of_anybody_else() {
    let all = [
        "followers heard",
        "leaders heard",
        "leaders withdrawn",
        "repeated acknowledgements",
        "repeated beats",
    ];
    live(20_000, 400, beats::live, &all);
}
