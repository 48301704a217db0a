//! Why a role changes.

use std::fmt;

/// What drives a change of role, named for the question an operator asks when seeing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransitionSignal {
    /// The node was chosen to hold the channel.
    CapabilitySelected,
    /// The leader fell silent.
    MissedHeartbeats,
    /// The candidate won.
    ElectionWon,
    /// The candidate did not win.
    ElectionLost,
    /// The leader handed over, or gave up on order.
    GracefulRelinquish,
    /// The replica's disk is too full.
    DiskPressureWithdraw,
    /// The leader's disk is too full.
    LeaderDiskPressureWithdraw,
    /// The candidate's disk is too full.
    CandidateDiskPressureWithdraw,
    /// The channel is closed on this node.
    ChannelClose,
    /// Another leader of a higher epoch, or one that won the comparison, exists.
    PeerLeaderObserved,
    /// The node was taken out of the channel's replica set.
    PlacementDeselected,
    /// The leader does not reach a majority any more.
    QuorumLost,
}

impl TransitionSignal {
    /// Every signal. The first ten are the original design; the order is part of the interface.
    pub const ALL: [Self; 12] = [
        Self::CapabilitySelected,
        Self::MissedHeartbeats,
        Self::ElectionWon,
        Self::ElectionLost,
        Self::GracefulRelinquish,
        Self::DiskPressureWithdraw,
        Self::LeaderDiskPressureWithdraw,
        Self::CandidateDiskPressureWithdraw,
        Self::ChannelClose,
        Self::PeerLeaderObserved,
        Self::PlacementDeselected,
        Self::QuorumLost,
    ];

    /// The ten signals of the original design: the head of [`Self::ALL`].
    #[must_use]
    pub fn original() -> &'static [Self] {
        &Self::ALL[..10]
    }

    /// The name in metrics, logs and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CapabilitySelected => "CapabilitySelected",
            Self::MissedHeartbeats => "MissedHeartbeats",
            Self::ElectionWon => "ElectionWon",
            Self::ElectionLost => "ElectionLost",
            Self::GracefulRelinquish => "GracefulRelinquish",
            Self::DiskPressureWithdraw => "DiskPressureWithdraw",
            Self::LeaderDiskPressureWithdraw => "LeaderDiskPressureWithdraw",
            Self::CandidateDiskPressureWithdraw => "CandidateDiskPressureWithdraw",
            Self::ChannelClose => "ChannelClose",
            Self::PeerLeaderObserved => "PeerLeaderObserved",
            Self::PlacementDeselected => "PlacementDeselected",
            Self::QuorumLost => "QuorumLost",
        }
    }
}

impl fmt::Display for TransitionSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
