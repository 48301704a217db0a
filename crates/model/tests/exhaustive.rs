//! Every state within small bounds: nothing fails, and everything that should happen does.

use tetrarch_model::{
    Exhausted, exhaust,
    quorum::{Bounds, Quorum, needs_parks},
};

fn visit(bounds: Bounds) -> Exhausted {
    let found = exhaust(Quorum::new(bounds), None);
    assert!(found.complete);
    if let Some(violation) = &found.violation {
        panic!("{}: {:#?}", violation.property, violation.steps);
    }
    found
}

#[test]
fn two_epochs_an_event_and_a_crash_break_nothing() {
    let found = visit(Bounds::new(2, 1).crashes(1));
    let mut missing = found.missing;
    missing.retain(|name| !needs_parks(name));
    assert_eq!(missing, Vec::<&str>::new());
    assert!(found.unique > 1_000_000, "{} states", found.unique);
}

#[test]
fn a_node_may_be_parked_in_any_role() {
    let found = visit(Bounds::new(1, 1).crashes(1).parks(1));
    let mut missing = found.missing;
    missing.retain(|name| needs_parks(name));
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn two_voters_go_as_far_as_three_epochs() {
    let bounds = Bounds {
        voters: 2,
        ..Bounds::new(3, 1).crashes(1)
    };
    let found = visit(bounds);
    assert!(found.unique > 40_000, "{} states", found.unique);
}
