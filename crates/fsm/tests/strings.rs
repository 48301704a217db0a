//! All strings of up to six signals from each role, against an automaton written a second time.
//!
//! In each role, each signal has at most one target. The automaton below says which, signal by
//! signal, so that it shares neither form nor order with the table it is compared with.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

use tetrarch_fsm::{Role, StateTransition, TransitionSignal};
use tetrarch_wire::ReplicaRole;

const LONGEST: usize = 6;

/// Where `signal` leads from `role`, if it leads anywhere.
fn reference(role: ReplicaRole, signal: TransitionSignal) -> Option<ReplicaRole> {
    use ReplicaRole::{Candidate, Idle, Leader, Replica};
    match signal {
        TransitionSignal::ChannelClose => Some(Idle),
        TransitionSignal::PlacementDeselected => (role != Idle).then_some(Idle),
        TransitionSignal::CapabilitySelected => (role == Idle).then_some(Replica),
        TransitionSignal::MissedHeartbeats => (role == Replica).then_some(Candidate),
        TransitionSignal::ElectionWon => (role == Candidate).then_some(Leader),
        TransitionSignal::ElectionLost => (role == Candidate).then_some(Replica),
        TransitionSignal::PeerLeaderObserved | TransitionSignal::QuorumLost => {
            (role == Leader).then_some(Replica)
        }
        TransitionSignal::GracefulRelinquish | TransitionSignal::LeaderDiskPressureWithdraw => {
            (role == Leader).then_some(Idle)
        }
        TransitionSignal::DiskPressureWithdraw => (role == Replica).then_some(Idle),
        TransitionSignal::CandidateDiskPressureWithdraw => (role == Candidate).then_some(Idle),
    }
}

/// Where the crate's own validator lets `signal` lead from `role`: the one target it accepts.
fn accepted(role: ReplicaRole, signal: TransitionSignal) -> Option<StateTransition> {
    let mut found = None;
    for to in ReplicaRole::ALL {
        if let Ok(transition) = StateTransition::apply(role, to, signal) {
            assert!(found.is_none(), "{signal} leads from {role} to two roles");
            found = Some(transition);
        }
    }
    found
}

/// Walks every continuation of a string; a refused signal leaves the role as it is.
fn walk(role: &Role, expected: ReplicaRole, left: usize) -> u64 {
    let here = role.get();
    assert_eq!(here, expected);
    if left == 0 {
        return 1;
    }
    let mut strings = 1;
    for signal in TransitionSignal::ALL {
        let target = reference(expected, signal).unwrap_or(expected);
        strings += match accepted(here, signal) {
            None => walk(role, target, left - 1),
            Some(transition) => {
                let mut next = role_at(here);
                next.change(transition).unwrap();
                walk(&next, target, left - 1)
            }
        };
    }
    strings
}

/// A role led to `target` by the shortest way there.
fn role_at(target: ReplicaRole) -> Role {
    use TransitionSignal::{CapabilitySelected, ElectionWon, MissedHeartbeats};
    let mut role = Role::new();
    for signal in [CapabilitySelected, MissedHeartbeats, ElectionWon] {
        if role.get() == target {
            break;
        }
        role.change(accepted(role.get(), signal).unwrap()).unwrap();
    }
    assert_eq!(role.get(), target);
    role
}

#[test]
fn all_strings_of_up_to_six_signals_end_where_the_reference_says() {
    let mut strings = 0;
    for start in ReplicaRole::ALL {
        strings += walk(&role_at(start), start, LONGEST);
    }
    let each: u64 = (0..=6).map(|length| 12_u64.pow(length)).sum();
    assert_eq!(strings, 4 * each);
}

#[test]
fn every_signal_leads_somewhere_from_some_role() {
    for signal in TransitionSignal::ALL {
        assert!(
            ReplicaRole::ALL
                .into_iter()
                .any(|role| accepted(role, signal).is_some()),
            "{signal}"
        );
    }
}

#[test]
fn every_role_can_be_reached_and_left() {
    for role in ReplicaRole::ALL {
        assert_eq!(role_at(role).get(), role);
        let leaves = TransitionSignal::ALL
            .into_iter()
            .filter_map(|signal| accepted(role, signal))
            .any(|transition| transition.to() != role);
        assert!(leaves, "{role}");
    }
}
