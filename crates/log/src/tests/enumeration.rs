//! Crash enumeration in the size that every change must pass.

use std::collections::BTreeSet;

use crate::disk::Change;
use crate::enumeration::{
    Bits, Condition, Plan, Script, Tally, flips, flips_beneath, power_cuts, scripts,
};

/// Cuts one script everywhere.
fn cut(name: &str) -> Tally {
    let all = scripts();
    let script = all.into_iter().find(|script| script.name == name);
    let tally = power_cuts(&Plan::quick(script.into_iter().collect()));
    println!(
        "{name}: {} cuts, {} combinations, {} images, {} with more",
        tally.cuts, tally.combinations, tally.images, tally.with_more
    );
    if let Some(violation) = tally.violations.first() {
        panic!(
            "{} violations, the first at {} before {}: {}",
            tally.violations.len(),
            violation.place,
            violation.before,
            violation.why
        );
    }
    tally
}

macro_rules! scripts_survive {
    ($($name:ident: $script:literal,)*) => {
        $(
            #[test]
            fn $name() {
                assert!(cut($script).images > 0);
            }
        )*

        #[test]
        fn every_script_has_its_test() {
            let named: Vec<&str> = scripts().iter().map(|script| script.name).collect();
            assert_eq!(named, [$($script),*]);
        }
    };
}

scripts_survive! {
    formatting_survives_every_power_cut: "format",
    appending_survives_every_power_cut: "append",
    groups_that_were_refused_stay_so_after_every_power_cut: "mend",
    votes_survive_every_power_cut: "votes",
    truncating_survives_every_power_cut: "truncate",
    trimming_survives_every_power_cut: "trim",
    snapshots_survive_every_power_cut: "snapshots",
    beginning_anew_survives_every_power_cut: "begin",
    what_is_sealed_and_cut_survives_every_power_cut: "seal",
    forks_that_are_dropped_or_deleted_survive_every_power_cut: "drop-fork",
    checkpoints_survive_every_power_cut: "checkpoint",
    recycling_survives_every_power_cut: "recycle",
    deleting_survives_every_power_cut: "delete",
    coming_back_survives_every_power_cut: "come-back",
    deleting_once_more_survives_every_power_cut: "delete-again",
    restarting_survives_every_power_cut: "restart",
    resizing_survives_every_power_cut: "resize",
    commits_in_the_middle_of_a_flush_survive_every_power_cut: "meanwhile",
    a_damaged_channel_stays_in_limbo_after_every_power_cut: "rot",
    a_lost_channel_stays_lost_after_every_power_cut: "rot-all",
    the_ballast_serves_after_every_power_cut: "ballast",
    a_life_with_everything_survives_every_power_cut: "everything",
}

/// Every step that a store takes, written down from its sources.
const STEPS: [(Change, &[&str]); 10] = [
    (
        Change::CreateDirectory,
        &["", "/chan", "/chan/…", "/damaged", "/deleted", "/wal"],
    ),
    (
        Change::Create,
        &[
            "/ballast.tmp",
            "/chan/…/fork-….tmp",
            "/chan/…/snapshot.tmp",
            "/chan/…/seg-….idx",
            "/chan/…/seg-….log",
            "/chan/…/state.a",
            "/chan/…/state.b",
            "/epochs.a",
            "/epochs.b",
            "/store.meta.a",
            "/store.meta.b",
            "/wal/….tmp",
        ],
    ),
    (
        Change::Rename,
        &[
            "/ballast.tmp",
            "/chan/…",
            "/chan/…/fork-….tmp",
            "/chan/…/snapshot.tmp",
            "/wal/….tmp",
            "/wal/….wal",
        ],
    ),
    (
        Change::Remove,
        &[
            "/ballast",
            "/ballast.tmp",
            "/chan/…",
            "/chan/…/fork-…",
            "/chan/…/fork-….tmp",
            "/chan/…/snapshot",
            "/chan/…/snapshot.tmp",
            "/chan/…/seg-….idx",
            "/chan/…/seg-….log",
            "/chan/…/state.a",
            "/chan/…/state.b",
            "/deleted/…",
            "/deleted/…/fork-…",
            "/deleted/…/snapshot",
            "/deleted/…/seg-….idx",
            "/deleted/…/seg-….log",
            "/deleted/…/state.a",
            "/deleted/…/state.b",
            "/wal/….tmp",
            "/wal/….wal",
        ],
    ),
    (
        Change::Write,
        &[
            "/chan/…/fork-….tmp",
            "/chan/…/snapshot.tmp",
            "/chan/…/seg-….idx",
            "/chan/…/seg-….log",
            "/chan/…/state.a",
            "/chan/…/state.b",
            "/epochs.a",
            "/epochs.b",
            "/store.meta.a",
            "/store.meta.b",
            "/wal/….wal",
        ],
    ),
    (Change::Fill, &["/ballast.tmp", "/wal/….tmp"]),
    (
        Change::Truncate,
        &["/chan/…/seg-….idx", "/chan/…/seg-….log"],
    ),
    (
        Change::Sync,
        &[
            "/ballast.tmp",
            "/chan/…/fork-….tmp",
            "/chan/…/snapshot.tmp",
            "/chan/…/seg-….log",
            "/chan/…/state.a",
            "/chan/…/state.b",
            "/epochs.a",
            "/epochs.b",
            "/store.meta.a",
            "/store.meta.b",
            "/wal/….tmp",
            "/wal/….wal",
        ],
    ),
    (
        Change::SyncDirectory,
        &["", "/chan", "/chan/…", "/damaged", "/deleted", "/wal"],
    ),
    (Change::Lock, &["/lock"]),
];

#[test]
fn the_scripts_take_every_step_that_a_store_takes() {
    let taken: BTreeSet<(Change, String)> = scripts().iter().flat_map(Script::kinds).collect();
    let listed = STEPS.iter().flat_map(|(change, paths)| {
        let named = paths.iter().map(|path| format!("/store{path}"));
        named.map(|path| (*change, path))
    });
    let mut listed: BTreeSet<(Change, String)> = listed.collect();
    listed.insert((Change::SyncDirectory, "/".to_owned()));
    let missing: Vec<_> = listed.difference(&taken).collect();
    let unknown: Vec<_> = taken.difference(&listed).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{missing:?} {unknown:?}"
    );
}

#[test]
fn no_flipped_byte_gives_a_wrong_read_or_hides_a_loss() {
    let found = flips(Condition::Killed, 1, Bits::One, 1);
    println!("{found:?}");
    let first = found.violations.first();
    assert!(first.is_none(), "{first:?}");
    assert_eq!(found.flips, found.bytes);
    assert!(found.harmless > 0 && found.noticed > 0 && found.torn > 0);
}

#[test]
fn no_byte_that_is_flipped_beneath_an_open_store_gives_a_wrong_read() {
    let found = flips_beneath(1, Bits::One);
    println!("{found:?}");
    let first = found.violations.first();
    assert!(first.is_none(), "{first:?}");
    assert!(found.harmless > 0 && found.noticed > 0);
}
