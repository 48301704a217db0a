//! What must hold in every state (the invariants of protocol §18), and what a run must have come
//! through to be worth anything.

use stateright::Property;
use tetrarch_fsm::LEGAL_TRANSITIONS;

use super::{Available, Entry, Log, State, mark::Mark};

/// All of them.
pub(crate) fn all() -> Vec<Property<Available>> {
    let mut properties = always();
    properties.extend(sometimes());
    properties
}

/// What must hold in every state. That roles change only by the table (I1) is not among them: a
/// step that would do otherwise ends the run.
pub(crate) fn always() -> Vec<Property<Available>> {
    vec![
        Property::always("I3 no epoch begins twice", |_, state: &State| {
            !state.observed.begun_twice
        }),
        Property::always("I6 log matching", logs_match),
        Property::always("I14 no event twice in a log", no_event_twice),
        Property::always("I15 acked copies stay", acked_copies_stay),
        Property::always("I17 only a settled fork is dropped", |_, state: &State| {
            !state.observed.dropped_unsettled
        }),
        Property::always("I18 only what is sealed is cut", |_, state: &State| {
            !state.observed.cut_unsealed
        }),
        Property::always("I16 heals", |model: &Available, state: &State| {
            model.heals(state)
        }),
    ]
}

fn sometimes() -> Vec<Property<Available>> {
    vec![
        Property::sometimes("two leaders", |_, state: &State| {
            state.leaders().count() == 2
        }),
        Property::sometimes("three leaders", |_, state: &State| {
            state.leaders().count() == 3
        }),
        Property::sometimes(
            "an event on two stores is acknowledged",
            |_, state: &State| state.observed.acked[1] != 0,
        ),
        Property::sometimes("a suffix is sealed", marked::<{ Mark::Sealed as u8 }>),
        Property::sometimes("a suffix is cut", marked::<{ Mark::Cut as u8 }>),
        Property::sometimes(
            "an event is republished",
            marked::<{ Mark::Republished as u8 }>,
        ),
        Property::sometimes("a fork is dropped", marked::<{ Mark::Dropped as u8 }>),
        Property::sometimes(
            "a later epoch is outdone",
            marked::<{ Mark::Outdone as u8 }>,
        ),
        Property::sometimes("an event is given up", marked::<{ Mark::GivenUp as u8 }>),
        Property::sometimes("Idle to Replica by CapabilitySelected", taken::<0>),
        Property::sometimes("Replica to Candidate by MissedHeartbeats", taken::<1>),
        Property::sometimes("Candidate to Leader by ElectionWon", taken::<2>),
        Property::sometimes("Leader to Replica by PeerLeaderObserved", taken::<12>),
    ]
}

fn marked<const MARK: u8>(model: &Available, _: &State) -> bool {
    model.coverage().is_marked(MARK)
}

fn taken<const ROW: usize>(model: &Available, _: &State) -> bool {
    const { assert!(ROW < LEGAL_TRANSITIONS.len()) };
    model.coverage().has_taken(ROW)
}

fn logs_match(model: &Available, state: &State) -> bool {
    let logs = || {
        let nodes = state.nodes(model.bounds());
        nodes.flat_map(|(_, node)| [node.log, node.kept_log])
    };
    let differ = |one: Log, other: Log| one < other && !match_each_other(one, other);
    !logs().any(|one| logs().any(|other| differ(one, other)))
}

/// Where two logs differ, their epochs differ as well, from there on.
fn match_each_other(one: Log, other: Log) -> bool {
    let common = one.common(other);
    let mut both = one.after(common).zip(other.after(common));
    both.all(|(one, other)| one.epoch() != other.epoch())
}

fn no_event_twice(model: &Available, state: &State) -> bool {
    let mut nodes = state.nodes(model.bounds());
    nodes.all(|(_, node)| {
        let events = node.log.entries().filter(|entry| !entry.is_declaration());
        let mut known = 0_u8;
        events.filter_map(Entry::id).all(|id| {
            let twice = known & 1 << id != 0;
            known |= 1 << id;
            !twice
        })
    })
}

/// What was acknowledged with so many copies is on as many stores, be it in a log, in a fork or as
/// a declared loss.
fn acked_copies_stay(model: &Available, state: &State) -> bool {
    let held: Vec<u8> = state
        .nodes(model.bounds())
        .map(|(me, _)| state.held_by(me))
        .collect();
    let mut copies = (1..).zip(state.observed.acked);
    copies.all(|(copies, acked)| {
        (1..=Entry::MOST)
            .filter(|id| acked & 1 << id != 0)
            .all(|id| {
                let holders = held.iter().filter(|held| **held & 1 << id != 0);
                holders.count() >= copies
            })
    })
}
