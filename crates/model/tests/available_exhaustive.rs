//! Every state of a channel of class `available` within small bounds: nothing fails, each state
//! heals, and everything that should happen does.

use tetrarch_model::{
    Exhausted,
    available::{Available, Bounds, Meeting},
    exhaust,
};

fn visit(bounds: Bounds) -> Exhausted {
    let mut found = exhaust(Available::new(bounds), None);
    assert!(found.complete);
    if let Some(violation) = &found.violation {
        panic!("{}: {:#?}", violation.property, violation.steps);
    }
    found.missing.retain(|name| bounds.lacks(name).is_none());
    assert_eq!(found.missing, Vec::<&str>::new());
    found
}

#[test]
fn two_nodes_heal_after_all_that_may_happen_to_them() {
    let bounds = Bounds::new(2, 2, 1, 1).retries(1).crashes(1);
    let found = visit(bounds.discards(1).expiries(1));
    assert!(found.unique > 1_000_000, "{} states", found.unique);
}

#[test]
fn three_leaders_with_two_events_and_a_crash_heal() {
    let found = visit(Bounds::new(3, 1, 1, 1).crashes(1));
    assert!(found.unique > 250_000, "{} states", found.unique);
}

#[test]
fn three_nodes_heal_after_two_epochs() {
    let found = visit(Bounds::new(3, 2, 1, 0));
    assert!(found.unique > 250_000, "{} states", found.unique);
}

#[test]
fn two_nodes_heal_where_the_later_epoch_leads() {
    let bounds = Bounds::new(2, 2, 1, 1).crashes(1);
    let found = visit(bounds.meeting(Meeting::LaterEpoch));
    assert!(found.unique > 150_000, "{} states", found.unique);
}

#[test]
fn three_nodes_heal_where_the_later_epoch_leads() {
    let found = visit(Bounds::new(3, 1, 1, 1).meeting(Meeting::LaterEpoch));
    assert!(found.unique > 300_000, "{} states", found.unique);
}
