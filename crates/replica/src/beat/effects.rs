//! What the hub wants done and what it has learned.

use std::time::Duration;

use tetrarch_wire::{ChannelUid, Epoch, Frame, NodeId, Seq, VoterId, frame::DiskLevel};

use super::{Repeat, Roll};
use crate::{Input, Moment};

/// Which way a frame of this layer takes (protocol §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BeatWay {
    /// One unreliable datagram; the frame fits.
    Datagram,
    /// The control stream, in order with everything else on it.
    Control,
}

/// A frame for a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingFrame {
    /// To whom.
    pub to: NodeId,
    /// Which way.
    pub way: BeatWay,
    /// What.
    pub frame: Frame,
}

/// What beats and acknowledgements say about one channel of this node: the channel's actor takes
/// it as an [`Input`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelFact {
    /// A beat of the leader's current boot covers the channel.
    LeaderHeard {
        /// The channel.
        channel: ChannelUid,
        /// The epoch that the peer leads; never lower than what the local actor has seen.
        epoch: Epoch,
        /// Last committed seq at the leader.
        commit: Seq,
        /// With which channels it is repeated.
        roll: Roll,
        /// When the beat was heard.
        at: Moment,
    },
    /// The leader took the channel out of its beats, or was restarted.
    LeaderWithdrew {
        /// The channel.
        channel: ChannelUid,
        /// The epoch that it led.
        epoch: Epoch,
    },
    /// A peer acknowledged a beat and follows this node in the channel.
    BeatAcked {
        /// The channel.
        channel: ChannelUid,
        /// The voter that the peer is.
        voter: VoterId,
        /// The epoch that the beat named.
        epoch: Epoch,
        /// With which channels it is repeated.
        roll: Roll,
        /// When that beat was sent.
        sent_at: Moment,
    },
}

impl ChannelFact {
    /// The channel.
    #[must_use]
    pub const fn channel(&self) -> ChannelUid {
        match self {
            Self::LeaderHeard { channel, .. }
            | Self::LeaderWithdrew { channel, .. }
            | Self::BeatAcked { channel, .. } => *channel,
        }
    }

    /// The channel and what its replica is told.
    #[must_use]
    pub const fn into_input(self) -> (ChannelUid, Input) {
        match self {
            Self::LeaderHeard {
                channel,
                epoch,
                commit,
                roll: _,
                at,
            } => (channel, Input::LeaderHeard { epoch, commit, at }),
            Self::LeaderWithdrew { channel, epoch } => (channel, Input::LeaderWithdrew { epoch }),
            Self::BeatAcked {
                channel,
                voter,
                epoch,
                roll: _,
                sent_at,
            } => {
                let input = Input::BeatAcked {
                    voter,
                    epoch,
                    sent_at,
                };
                (channel, input)
            }
        }
    }
}

/// What a peer's last beat said of the peer itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerFact {
    /// The peer.
    pub peer: NodeId,
    /// When the beat was heard.
    pub heard_at: Moment,
    /// Smoothed time from a beat to its acknowledgement, once measured.
    pub rtt: Option<Duration>,
    /// How full its disk is.
    pub disk_level: DiskLevel,
    /// Free bytes on its disk.
    pub free_bytes: u64,
    /// For how long its oldest unfinished write has been waiting, in milliseconds.
    pub wal_stall_ms: u32,
}

/// Where the hub puts its effects. The shell empties it after each call or after several; the four
/// lists do not depend on each other's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeatEffects {
    /// Frames to send, in this order.
    pub frames: Vec<OutgoingFrame>,
    /// Facts for channels, in this order.
    pub channels: Vec<ChannelFact>,
    /// What is said again of many channels; after `channels`.
    pub repeats: Vec<Repeat>,
    /// What is known of peers.
    pub peers: Vec<PeerFact>,
}

impl BeatEffects {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.channels.clear();
        self.repeats.clear();
        self.peers.clear();
    }

    pub(super) fn send(&mut self, to: NodeId, way: BeatWay, frame: Frame) {
        self.frames.push(OutgoingFrame { to, way, frame });
    }
}
