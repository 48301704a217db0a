//! The connections between nodes, as QUIC gives them: what travels in one lane of one connection
//! arrives in order or not at all, datagrams arrive as they like, and a connection that dies takes
//! everything with it that was on its way.

use std::collections::BTreeMap;

use tetrarch_replica::Lane;
use tetrarch_wire::{Epoch, Frame, frame::ChannelMessage};

use crate::world::ChannelIndex;

/// What can travel.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    /// About a channel.
    Channel {
        /// Which.
        channel: ChannelIndex,
        /// The epoch in which it is said.
        epoch: Epoch,
        /// What.
        message: ChannelMessage,
    },
    /// A frame of the beats.
    Beat(Frame),
}

impl Packet {
    /// What it is, in a timeline.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Beat(_) => "beat",
            Self::Channel { message, .. } => match message {
                ChannelMessage::VoteRequest(_) => "vote request",
                ChannelMessage::VoteResponse(_) => "vote response",
                ChannelMessage::Append(_) => "append",
                ChannelMessage::AppendAck(_) => "append ack",
                ChannelMessage::AppendNack(_) => "append nack",
                ChannelMessage::FindPoint(_) => "find point",
                ChannelMessage::PointResponse(_) => "point",
                ChannelMessage::SyncRequest(_) => "pull",
                ChannelMessage::SyncChunk(_) => "chunk",
                ChannelMessage::SyncNack(_) => "pull refused",
                ChannelMessage::TransferPrepare(_) | ChannelMessage::TransferNow(_) => "handover",
                ChannelMessage::Placed(_) => "placement report",
                ChannelMessage::RepairRequest(_) | ChannelMessage::RepairResponse(_) => "repair",
                ChannelMessage::SegOffer(_)
                | ChannelMessage::SegRequest(_)
                | ChannelMessage::SegData(_) => "segment",
                ChannelMessage::SnapshotRequest(_) | ChannelMessage::SnapshotChunk(_) => "snapshot",
                ChannelMessage::ForkReport(_)
                | ChannelMessage::ForkPull(_)
                | ChannelMessage::ForkChunk(_) => "fork",
            },
        }
    }
}

/// How a packet travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// In a lane.
    Lane(Lane),
    /// By itself.
    Datagram,
}

#[derive(Clone, Debug, Default)]
struct Direction {
    blocked: bool,
    /// What was sent in lanes while nothing gets through: it is sent again and again until the
    /// connection dies.
    held: Vec<(Way, Packet)>,
    /// Nothing arrives before that.
    clogged_until: u64,
    /// When the last packet of each lane arrives.
    last: BTreeMap<Lane, u64>,
}

/// All connections.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    nodes: usize,
    directions: Vec<Direction>,
    /// Counts the connections between each pair.
    connection: Vec<u64>,
    connected: Vec<bool>,
}

impl Network {
    /// Nobody is connected yet.
    #[must_use]
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            nodes,
            directions: vec![Direction::default(); nodes * nodes],
            connection: vec![1; nodes * nodes],
            connected: vec![false; nodes * nodes],
        }
    }

    fn direction(&mut self, from: usize, to: usize) -> &mut Direction {
        &mut self.directions[from * self.nodes + to]
    }

    const fn pair(&self, a: usize, b: usize) -> usize {
        if a < b {
            a * self.nodes + b
        } else {
            b * self.nodes + a
        }
    }

    /// The number of the present connection, or of the next one.
    #[must_use]
    pub(crate) fn connection(&self, a: usize, b: usize) -> u64 {
        self.connection[self.pair(a, b)]
    }

    /// Whether there is one.
    #[must_use]
    pub(crate) fn is_connected(&self, a: usize, b: usize) -> bool {
        self.connected[self.pair(a, b)]
    }

    /// Whether packets from the first to the second vanish.
    #[must_use]
    pub(crate) fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.directions[from * self.nodes + to].blocked
    }

    /// Packets from the first to the second vanish from now on.
    pub(crate) fn block(&mut self, from: usize, to: usize) {
        self.direction(from, to).blocked = true;
    }

    /// Packets from the first to the second are held until then.
    pub(crate) fn clog(&mut self, from: usize, to: usize, until: u64) {
        self.direction(from, to).clogged_until = until;
    }

    /// Keeps a packet of a lane until packets get through again.
    pub(crate) fn hold(&mut self, from: usize, to: usize, way: Way, packet: Packet) {
        self.direction(from, to).held.push((way, packet));
    }

    /// Ends a block, or a clog. Gives what was held.
    pub(crate) fn unblock(&mut self, from: usize, to: usize) -> Vec<(Way, Packet)> {
        let direction = self.direction(from, to);
        direction.blocked = false;
        direction.clogged_until = 0;
        std::mem::take(&mut direction.held)
    }

    /// Cuts a connection: what is on its way is lost. Says whether there was one.
    pub(crate) fn cut(&mut self, a: usize, b: usize) -> bool {
        let pair = self.pair(a, b);
        self.direction(a, b).held.clear();
        self.direction(b, a).held.clear();
        self.connection[pair] += 1;
        std::mem::replace(&mut self.connected[pair], false)
    }

    /// Connects two. Says whether that is news.
    pub(crate) fn connect(&mut self, a: usize, b: usize) -> bool {
        let pair = self.pair(a, b);
        self.direction(a, b).last.clear();
        self.direction(b, a).last.clear();
        !std::mem::replace(&mut self.connected[pair], true)
    }

    /// When a packet that would arrive at `at` really does: behind all others of its lane.
    pub(crate) fn arrival(&mut self, from: usize, to: usize, way: Way, at: u64) -> u64 {
        let direction = self.direction(from, to);
        let at = at.max(direction.clogged_until);
        match way {
            Way::Datagram => at,
            Way::Lane(lane) => {
                let last = direction.last.entry(lane).or_default();
                *last = at.max(*last);
                *last
            }
        }
    }
}
