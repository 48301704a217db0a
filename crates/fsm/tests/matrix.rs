//! The whole matrix of (from, to, signal), against a list that was written down by hand from the
//! protocol's table and does not know the crate's own.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

use std::collections::BTreeSet;

use tetrarch_fsm::{
    LEGAL_TRANSITIONS, Role, StateTransition, StateTransitionError, TransitionSignal,
};
use tetrarch_wire::ReplicaRole;

/// Every transition that may exist, by name.
const EXPECTED: [(&str, &str, &str); 17] = [
    ("Leader", "Replica", "PeerLeaderObserved"),
    ("Leader", "Replica", "QuorumLost"),
    ("Leader", "Idle", "GracefulRelinquish"),
    ("Leader", "Idle", "LeaderDiskPressureWithdraw"),
    ("Leader", "Idle", "ChannelClose"),
    ("Leader", "Idle", "PlacementDeselected"),
    ("Replica", "Candidate", "MissedHeartbeats"),
    ("Replica", "Idle", "DiskPressureWithdraw"),
    ("Replica", "Idle", "ChannelClose"),
    ("Replica", "Idle", "PlacementDeselected"),
    ("Candidate", "Leader", "ElectionWon"),
    ("Candidate", "Replica", "ElectionLost"),
    ("Candidate", "Idle", "CandidateDiskPressureWithdraw"),
    ("Candidate", "Idle", "ChannelClose"),
    ("Candidate", "Idle", "PlacementDeselected"),
    ("Idle", "Replica", "CapabilitySelected"),
    ("Idle", "Idle", "ChannelClose"),
];

/// Every pair of roles that no signal connects, by name.
const UNCONNECTED: [(&str, &str); 7] = [
    ("Leader", "Leader"),
    ("Leader", "Candidate"),
    ("Replica", "Leader"),
    ("Replica", "Replica"),
    ("Candidate", "Candidate"),
    ("Idle", "Leader"),
    ("Idle", "Candidate"),
];

/// The signals in the order that is part of the interface.
const SIGNALS: [&str; 12] = [
    "CapabilitySelected",
    "MissedHeartbeats",
    "ElectionWon",
    "ElectionLost",
    "GracefulRelinquish",
    "DiskPressureWithdraw",
    "LeaderDiskPressureWithdraw",
    "CandidateDiskPressureWithdraw",
    "ChannelClose",
    "PeerLeaderObserved",
    "PlacementDeselected",
    "QuorumLost",
];

/// The cells that these signals span, by what `apply` says of them.
#[derive(Default)]
struct Census {
    legal: BTreeSet<(String, String, String)>,
    mismatch: usize,
    invalid: usize,
}

fn census(signals: &[TransitionSignal]) -> Census {
    let mut census = Census::default();
    for from in ReplicaRole::ALL {
        for to in ReplicaRole::ALL {
            for signal in signals {
                check_cell(&mut census, from, to, *signal);
            }
        }
    }
    census
}

fn check_cell(census: &mut Census, from: ReplicaRole, to: ReplicaRole, signal: TransitionSignal) {
    let named = (from.name(), to.name(), signal.name());
    let cell = format!("{from} -> {to} by {signal}");
    match StateTransition::apply(from, to, signal) {
        Ok(made) => {
            assert!(EXPECTED.contains(&named), "{cell} should not exist");
            assert_eq!((made.from(), made.to(), made.signal()), (from, to, signal));
            census.legal.insert((
                from.name().to_owned(),
                to.name().to_owned(),
                signal.name().to_owned(),
            ));
        }
        Err(error @ StateTransitionError::SignalMismatch { .. }) => {
            assert_eq!(
                error,
                StateTransitionError::SignalMismatch { from, to, signal }
            );
            assert!(!EXPECTED.contains(&named), "{cell} should exist");
            assert!(!UNCONNECTED.contains(&(named.0, named.1)), "{cell}");
            census.mismatch += 1;
        }
        Err(error @ StateTransitionError::InvalidPair { .. }) => {
            assert_eq!(error, StateTransitionError::InvalidPair { from, to });
            assert!(UNCONNECTED.contains(&(named.0, named.1)), "{cell}");
            census.invalid += 1;
        }
    }
}

fn expected(signals: &[&str]) -> BTreeSet<(String, String, String)> {
    EXPECTED
        .into_iter()
        .filter(|(_, _, signal)| signals.contains(signal))
        .map(|(from, to, signal)| (from.to_owned(), to.to_owned(), signal.to_owned()))
        .collect()
}

#[test]
fn of_192_cells_17_are_legal_91_mismatch_and_84_are_invalid() {
    let census = census(&TransitionSignal::ALL);
    assert_eq!(census.legal, expected(&SIGNALS));
    assert_eq!(
        (census.legal.len(), census.mismatch, census.invalid),
        (17, 91, 84)
    );
}

#[test]
fn of_the_160_cells_of_the_original_signals_13_are_legal_77_mismatch_and_70_are_invalid() {
    let census = census(&TransitionSignal::ALL[..10]);
    assert_eq!(census.legal, expected(&SIGNALS[..10]));
    assert_eq!(
        (census.legal.len(), census.mismatch, census.invalid),
        (13, 77, 70)
    );
    assert_eq!(TransitionSignal::original(), &TransitionSignal::ALL[..10]);
}

#[test]
fn the_table_names_no_transition_twice() {
    let distinct: BTreeSet<_> = LEGAL_TRANSITIONS.into_iter().collect();
    assert_eq!(distinct.len(), LEGAL_TRANSITIONS.len());
}

#[test]
fn all_signals_stand_in_their_order() {
    assert_eq!(TransitionSignal::ALL.map(TransitionSignal::name), SIGNALS);
    assert!(TransitionSignal::ALL.is_sorted());
}

#[test]
fn the_only_way_to_stay_is_closing_what_is_closed() {
    for role in ReplicaRole::ALL {
        for signal in TransitionSignal::ALL {
            let stays = StateTransition::apply(role, role, signal).is_ok();
            let closing = role == ReplicaRole::Idle && signal == TransitionSignal::ChannelClose;
            assert_eq!(stays, closing, "{role} by {signal}");
        }
    }
}

#[test]
fn any_wrong_signal_into_idle_is_a_mismatch() {
    for from in ReplicaRole::ALL {
        for signal in TransitionSignal::ALL {
            let result = StateTransition::apply(from, ReplicaRole::Idle, signal);
            assert!(!matches!(
                result,
                Err(StateTransitionError::InvalidPair { .. })
            ));
        }
    }
}

/// A role that was led to `target` by transitions alone.
fn role_at(target: ReplicaRole) -> Role {
    use ReplicaRole::{Candidate, Idle, Leader, Replica};
    use TransitionSignal::{CapabilitySelected, ElectionWon, MissedHeartbeats};
    let steps: &[_] = match target {
        Idle => &[],
        Replica => &[(Idle, Replica, CapabilitySelected)],
        Candidate => &[
            (Idle, Replica, CapabilitySelected),
            (Replica, Candidate, MissedHeartbeats),
        ],
        Leader => &[
            (Idle, Replica, CapabilitySelected),
            (Replica, Candidate, MissedHeartbeats),
            (Candidate, Leader, ElectionWon),
        ],
    };
    let mut role = Role::new();
    for (from, to, signal) in steps {
        let step = StateTransition::apply(*from, *to, *signal).unwrap();
        role.change(step).unwrap();
    }
    assert_eq!(role.get(), target);
    role
}

#[test]
fn a_role_takes_exactly_the_transitions_that_begin_where_it_stands() {
    for current in ReplicaRole::ALL {
        for (from, to, signal) in LEGAL_TRANSITIONS {
            let mut role = role_at(current);
            let transition = StateTransition::apply(from, to, signal).unwrap();
            let result = role.change(transition);
            if from == current {
                assert_eq!((result, role.get()), (Ok(()), to));
            } else {
                let refusal = StateTransitionError::InvalidPair { from: current, to };
                assert_eq!((result, role.get()), (Err(refusal), current));
            }
        }
    }
}

#[test]
fn a_role_begins_idle() {
    assert_eq!(Role::default().get(), ReplicaRole::Idle);
    assert_eq!(Role::new(), Role::default());
}

#[test]
fn errors_name_what_was_tried() {
    let mismatch = StateTransition::apply(
        ReplicaRole::Leader,
        ReplicaRole::Idle,
        TransitionSignal::QuorumLost,
    );
    assert_eq!(
        mismatch.unwrap_err().to_string(),
        "QuorumLost does not lead from Leader to Idle"
    );
    let invalid = StateTransition::apply(
        ReplicaRole::Idle,
        ReplicaRole::Leader,
        TransitionSignal::ElectionWon,
    );
    assert_eq!(
        invalid.unwrap_err().to_string(),
        "no signal leads from Idle to Leader"
    );
}
