//! What of all that happens is counted, so that a test sees that it did happen.

use std::collections::BTreeMap;

use tetrarch_fsm::TransitionSignal;
use tetrarch_replica::{Effect, HaltReason, LogWrite};
use tetrarch_wire::{
    ReplicaRole,
    frame::{ChannelMessage, ProduceOutcome},
};

/// How often each thing has happened.
pub type Tally = BTreeMap<&'static str, u64>;

/// The name of what a replica does, `leads` being whether it led before.
pub(crate) fn name_of(effect: &Effect, leads: bool) -> Option<&'static str> {
    Some(match effect {
        Effect::Persist { writes, .. } => match writes.first() {
            Some(LogWrite::Truncate(_)) => "truncations",
            Some(LogWrite::HardState(promise)) if promise.voted_for.is_some() => "votes",
            Some(LogWrite::Append(_)) if !leads => "appends taken",
            _ => return None,
        },
        Effect::Send { message, .. } => match message {
            ChannelMessage::AppendAck(_) => "acknowledgements",
            ChannelMessage::SyncRequest(_) => "pulls",
            ChannelMessage::SyncChunk(_) => "chunks served",
            ChannelMessage::PointResponse(_) => "points named",
            ChannelMessage::TransferNow(_) => "handovers ordered",
            _ => return None,
        },
        Effect::Reply {
            outcome: ProduceOutcome::Appended { .. },
            ..
        } => "events appended",
        Effect::Reply {
            outcome: ProduceOutcome::OutOfOrder { .. },
            ..
        } => "out of order",
        Effect::ReadIndexReady { result: Ok(_), .. } => "read indexes",
        Effect::RoleChanged(change) => match change.transition.signal() {
            TransitionSignal::ElectionWon => "elections won",
            TransitionSignal::QuorumLost => "majorities lost",
            TransitionSignal::PeerLeaderObserved => "deposed",
            _ if change.transition.to() == ReplicaRole::Candidate => "candidacies",
            _ => return None,
        },
        Effect::Committed { .. } if leads => "commits counted",
        Effect::Committed { .. } => "commits told",
        Effect::Halted(HaltReason::WouldTruncateCommitted { .. }) => "cuts refused",
        Effect::Halted(HaltReason::MissingRange { .. }) => "gaps refused",
        _ => return None,
    })
}
