//! The table. Adding a role or signal does not compile until its cells are decided here.

use tetrarch_wire::ReplicaRole::{self, Candidate, Idle, Leader, Replica};

use crate::TransitionSignal::{self, *};

/// The 17 legal triples (protocol §4), in the order of its table.
pub const LEGAL_TRANSITIONS: [(ReplicaRole, ReplicaRole, TransitionSignal); 17] = [
    (Idle, Replica, CapabilitySelected),
    (Replica, Candidate, MissedHeartbeats),
    (Candidate, Leader, ElectionWon),
    (Candidate, Replica, ElectionLost),
    (Leader, Idle, GracefulRelinquish),
    (Replica, Idle, DiskPressureWithdraw),
    (Leader, Idle, LeaderDiskPressureWithdraw),
    (Candidate, Idle, CandidateDiskPressureWithdraw),
    (Leader, Idle, ChannelClose),
    (Replica, Idle, ChannelClose),
    (Candidate, Idle, ChannelClose),
    (Idle, Idle, ChannelClose),
    (Leader, Replica, PeerLeaderObserved),
    (Leader, Replica, QuorumLost),
    (Replica, Idle, PlacementDeselected),
    (Candidate, Idle, PlacementDeselected),
    (Leader, Idle, PlacementDeselected),
];

/// What the table says of one (from, to, signal) cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The transition exists.
    Legal,
    /// The pair of roles is reachable, by another signal.
    SignalMismatch,
    /// No signal leads from the one role to the other.
    InvalidPair,
}

/// Looks a cell up.
#[must_use]
pub fn verdict(from: ReplicaRole, to: ReplicaRole, signal: TransitionSignal) -> Verdict {
    let mut verdict = Verdict::InvalidPair;
    for &(legal_from, legal_to, legal_signal) in &LEGAL_TRANSITIONS {
        if (legal_from, legal_to) == (from, to) {
            if legal_signal == signal {
                return Verdict::Legal;
            }
            verdict = Verdict::SignalMismatch;
        }
    }
    verdict
}
