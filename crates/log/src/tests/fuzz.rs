//! What the fuzzer tries on the store, on the stable compiler: every kept input, and inputs that a
//! seed makes up.

#[path = "../../../../fuzz/oracle/cursor.rs"]
#[allow(dead_code)]
mod cursor;
#[path = "../../../../fuzz/oracle/recovery/mod.rs"]
#[allow(unreachable_pub)]
mod recovery;
#[path = "../../../../fuzz/oracle/replay.rs"]
mod replay;

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::fuzzing;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 6] = [
    ("wal", fuzzing::wal),
    ("record", fuzzing::record),
    ("segment", fuzzing::segment),
    ("slot", fuzzing::slot),
    ("fork", fuzzing::fork),
    ("recovery", recovery::recovery),
];

#[test]
fn every_kept_input_passes_its_oracle() {
    replay::are_all(&TARGETS.map(|(target, _)| target));
    for (target, check) in TARGETS {
        replay::kept(target, check);
    }
}

#[test]
fn made_up_files_pass_their_oracles() {
    for (target, check) in TARGETS {
        if target != "recovery" {
            replay::made_up(5_000, 400, check);
        }
    }
}

#[test]
fn no_damage_is_hidden_and_nothing_is_read_that_was_not_written() {
    let happened = Mutex::new(BTreeMap::<&str, u64>::new());
    replay::made_up(2_000, 500, |bytes| {
        let life = recovery::live(bytes);
        let mut happened = happened.lock().unwrap();
        for (what, times) in life {
            *happened.entry(what).or_default() += times;
        }
    });
    let happened = happened.into_inner().unwrap();
    let all = [
        "gone",
        "halted",
        "in limbo",
        "intact",
        "lost",
        "reads refused",
        "refused",
        "the end may count as torn",
    ];
    let often = |what: &&&str| happened.get(**what).is_some_and(|times| *times >= 10);
    let rare: Vec<_> = all.iter().filter(|what| !often(what)).collect();
    assert!(
        !replay::is_usual() || rare.is_empty(),
        "{rare:?} hardly ever happened: {happened:#?}"
    );
}
