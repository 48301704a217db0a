//! Changes of role.

use tetrarch_fsm::LEGAL_TRANSITIONS;
use tetrarch_wire::ReplicaRole::{Candidate, Idle, Leader, Replica};

use super::*;

fn transitions(from: ReplicaRole, to: ReplicaRole, signal: TransitionSignal) -> String {
    format!("tetrarch_transitions_total{{from=\"{from}\",to=\"{to}\",signal=\"{signal}\"}}")
}

#[test]
fn every_transition_that_exists_is_there_from_the_start() {
    let telemetry = telemetry();
    for (from, to, signal) in LEGAL_TRANSITIONS {
        assert_eq!(value(&telemetry, &transitions(from, to, signal)), Some(0.0));
    }
    assert_eq!(
        telemetry
            .encode()
            .matches("tetrarch_transitions_total{")
            .count(),
        17
    );
}

#[test]
fn every_transition_is_counted_in_its_own_cell_and_moves_the_role() {
    for (from, to, signal) in LEGAL_TRANSITIONS {
        if from == to {
            continue;
        }
        let telemetry = telemetry();
        let channel = telemetry.channel("orders");
        channel.transition(&change(from, to, signal));
        for (other_from, other_to, other_signal) in LEGAL_TRANSITIONS {
            let same = (from, to, signal) == (other_from, other_to, other_signal);
            assert_eq!(
                value(&telemetry, &transitions(other_from, other_to, other_signal)),
                Some(f64::from(u8::from(same)))
            );
        }
        for role in ReplicaRole::ALL {
            let series = format!("tetrarch_channel_role{{channel=\"orders\",role=\"{role}\"}}");
            assert_eq!(
                value(&telemetry, &series),
                Some(f64::from(u8::from(role == to)))
            );
        }
        assert_eq!(
            value(&telemetry, "tetrarch_channel_epoch{channel=\"orders\"}"),
            Some(7.0)
        );
    }
}

#[test]
fn closing_what_is_idle_is_not_counted() {
    let telemetry = telemetry();
    telemetry
        .channel("orders")
        .transition(&change(Idle, Idle, TransitionSignal::ChannelClose));
    let series = transitions(Idle, Idle, TransitionSignal::ChannelClose);
    assert_eq!(value(&telemetry, &series), Some(0.0));
}

#[test]
fn an_election_ends_won_lost_or_abandoned() {
    let telemetry = telemetry();
    let channel = telemetry.channel("orders");
    channel.transition(&change(
        Replica,
        Candidate,
        TransitionSignal::MissedHeartbeats,
    ));
    channel.transition(&change(Candidate, Leader, TransitionSignal::ElectionWon));
    channel.transition(&change(Candidate, Replica, TransitionSignal::ElectionLost));
    channel.transition(&change(Candidate, Replica, TransitionSignal::ElectionLost));
    channel.transition(&change(
        Candidate,
        Idle,
        TransitionSignal::PlacementDeselected,
    ));
    channel.transition(&change(Leader, Replica, TransitionSignal::QuorumLost));
    for (outcome, expected) in [("won", 1.0), ("lost", 2.0), ("abandoned", 1.0)] {
        let series = format!("tetrarch_elections_total{{outcome=\"{outcome}\"}}");
        assert_eq!(value(&telemetry, &series), Some(expected), "{outcome}");
    }
}

#[test]
fn attempts_that_the_table_refuses_are_counted_with_the_reason() {
    let telemetry = telemetry();
    let channel = telemetry.channel("orders");
    let invalid = StateTransition::apply(Idle, Leader, TransitionSignal::ElectionWon);
    let mismatch = StateTransition::apply(Candidate, Leader, TransitionSignal::ElectionLost);
    channel.transition_rejected(&invalid.unwrap_err());
    channel.transition_rejected(&mismatch.unwrap_err());
    channel.transition_rejected(&mismatch.unwrap_err());
    let name = "tetrarch_transitions_rejected_total";
    let invalid = "{from=\"Idle\",to=\"Leader\",signal=\"any\",reason=\"invalid_pair\"}";
    let mismatch =
        "{from=\"Candidate\",to=\"Leader\",signal=\"ElectionLost\",reason=\"signal_mismatch\"}";
    assert_eq!(value(&telemetry, &format!("{name}{invalid}")), Some(1.0));
    assert_eq!(value(&telemetry, &format!("{name}{mismatch}")), Some(2.0));
}
