//! What happened to whom, for reading: kept beside a replay, drawn or told afterwards, also when the
//! run has failed.

mod svg;
mod text;

use std::{cell::RefCell, rc::Rc};

use tetrarch_wire::ReplicaRole;

pub(crate) use svg::draw;
pub(crate) use text::tell;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// A process began.
    Up,
    /// A process ended.
    Down,
    /// It stands still.
    Suspended,
    /// It goes on.
    Resumed,
    /// It has another role in a channel.
    Role {
        /// Which channel.
        channel: usize,
        /// Which role.
        role: ReplicaRole,
        /// In which epoch.
        epoch: u64,
    },
    /// Something went wrong, in words.
    Fault(String),
    /// It sent something.
    Sent {
        /// To whom.
        to: usize,
        /// When that gets it.
        arrives: u64,
        /// What it is.
        what: &'static str,
    },
}

/// A mark, when it was made and at which node.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    pub(crate) node: usize,
    pub(crate) mark: Mark,
}

/// The marks of a run in their order.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    entries: Vec<Entry>,
}

/// A timeline that outlives the run that fills it.
pub(crate) type Shared = Rc<RefCell<Timeline>>;

impl Timeline {
    pub(crate) fn note(&mut self, at: u64, node: usize, mark: Mark) {
        self.entries.push(Entry { at, node, mark });
    }

    /// When the last mark was made.
    pub(crate) fn end(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.at)
    }

    /// How many nodes there are.
    fn nodes(&self) -> usize {
        let highest = self.entries.iter().map(|entry| entry.node).max();
        highest.map_or(1, |highest| highest + 1)
    }

    /// How many channels there are.
    fn channels(&self) -> usize {
        let channels = self.entries.iter().filter_map(|entry| match entry.mark {
            Mark::Role { channel, .. } => Some(channel),
            _ => None,
        });
        channels.max().map_or(1, |highest| highest + 1)
    }
}
