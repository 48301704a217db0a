//! The connections between nodes: in order within a lane of one connection, and nothing else is
//! promised.

use std::collections::BTreeMap;

use tetrarch_replica::Lane;

/// What can travel.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    Message {
        epoch: tetrarch_wire::Epoch,
        message: tetrarch_wire::frame::ChannelMessage,
    },
    Beat {
        epoch: tetrarch_wire::Epoch,
        commit: tetrarch_wire::Seq,
        sent_at: u64,
    },
    Withdrawn {
        epoch: tetrarch_wire::Epoch,
    },
    BeatAck {
        epoch: tetrarch_wire::Epoch,
        sent_at: u64,
    },
}

/// One direction between two nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    /// Packets vanish.
    pub(crate) blocked: bool,
    /// When the last packet of each lane arrives.
    last: BTreeMap<Lane, u64>,
}

/// All ways.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    nodes: usize,
    ways: Vec<Way>,
    /// Counts the connections between each pair.
    connection: Vec<u64>,
    pub(crate) connected: Vec<bool>,
}

impl Links {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            nodes,
            ways: vec![Way::default(); nodes * nodes],
            connection: vec![1; nodes * nodes],
            connected: vec![true; nodes * nodes],
        }
    }

    pub(crate) fn way(&mut self, from: usize, to: usize) -> &mut Way {
        &mut self.ways[from * self.nodes + to]
    }

    fn pair(&self, a: usize, b: usize) -> usize {
        a.min(b) * self.nodes + a.max(b)
    }

    pub(crate) fn connection(&self, a: usize, b: usize) -> u64 {
        self.connection[self.pair(a, b)]
    }

    pub(crate) fn is_connected(&self, a: usize, b: usize) -> bool {
        self.connected[self.pair(a, b)]
    }

    /// Cuts the connection: what is on its way is lost. Says whether there was one.
    pub(crate) fn cut(&mut self, a: usize, b: usize) -> bool {
        let pair = self.pair(a, b);
        self.connection[pair] += 1;
        std::mem::replace(&mut self.connected[pair], false)
    }

    /// Connects again. Says whether that is news.
    pub(crate) fn connect(&mut self, a: usize, b: usize) -> bool {
        let pair = self.pair(a, b);
        self.way(a, b).last.clear();
        self.way(b, a).last.clear();
        !std::mem::replace(&mut self.connected[pair], true)
    }

    /// When a packet that would take until `at` really arrives, behind all others of its lane.
    pub(crate) fn in_order(&mut self, from: usize, to: usize, lane: Lane, at: u64) -> u64 {
        let last = self.way(from, to).last.entry(lane).or_default();
        *last = at.max(*last);
        *last
    }

    pub(crate) fn heal(&mut self) {
        for way in &mut self.ways {
            way.blocked = false;
        }
    }
}
