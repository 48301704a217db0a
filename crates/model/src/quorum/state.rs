//! The state of a whole channel, and what an observer outside it has been told.

use tetrarch_wire::ReplicaRole;

use super::{Bounds, Log, Message, Messages, Node};

/// Three nodes are kept even if two vote: the third one then does nothing.
pub(crate) const MOST_VOTERS: usize = 3;

/// What was acknowledged to clients: everything that any leader ever committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Acked {
    /// The batches.
    pub log: Log,
    /// The number of the epoch in which each was committed.
    in_epoch: [u8; Log::MOST],
    /// A leader committed something else where something was acknowledged (I9).
    pub overwritten: bool,
    /// A replica was to cut what it knew to be committed (I11).
    pub cut: bool,
}

impl Acked {
    /// The leader of epoch `n` commits `log`.
    pub fn acknowledge(&mut self, log: Log, n: u8) {
        if self.log.is_prefix_of(log) {
            let known = usize::from(self.log.len());
            self.in_epoch[known..usize::from(log.len())].fill(n);
            self.log = log;
        } else if !log.is_prefix_of(self.log) {
            self.overwritten = true;
        }
    }

    /// What was committed before the epoch `n`.
    #[must_use]
    pub fn before(&self, n: u8) -> Log {
        let all = self.in_epoch[..usize::from(self.log.len())].iter();
        let earlier = all.take_while(|in_epoch| **in_epoch < n).count();
        self.log.prefix(u8::try_from(earlier).unwrap_or(u8::MAX))
    }
}

/// What was used up of the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spent {
    /// Events that were published.
    pub entries: u8,
    /// Crashes.
    pub crashes: u8,
    /// Times that a node was parked.
    pub parks: u8,
    /// Times that a node forgot something.
    pub rots: u8,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The voters.
    pub nodes: [Node; MOST_VOTERS],
    /// Everything that was said and may still matter.
    pub messages: Messages,
    /// What clients were told.
    pub acked: Acked,
    /// What was used up.
    pub spent: Spent,
}

impl State {
    /// The voters and their numbers.
    pub fn voters(&self, bounds: Bounds) -> impl Iterator<Item = (u8, &Node)> {
        (0..bounds.voters).zip(&self.nodes)
    }

    /// Forgets messages that nobody will ever act upon, so that states which differ in nothing
    /// else are one.
    pub(crate) fn forget_the_dead(&mut self, bounds: Bounds) {
        let mut messages = std::mem::take(&mut self.messages);
        messages.retain(|message| self.is_live(message, bounds));
        self.messages = messages;
    }

    fn is_live(&self, message: &Message, bounds: Bounds) -> bool {
        let is = |node: &Node, role, n| node.role == role && node.promise.n == n;
        match *message {
            Message::Vote { n, candidate, .. } => is(
                &self.nodes[usize::from(candidate)],
                ReplicaRole::Candidate,
                n,
            ),
            Message::Ack { n, log, .. } => {
                let mut voters = self.voters(bounds);
                let counts =
                    |node: &Node| is(node, ReplicaRole::Leader, n) && node.commit < log.len();
                voters.any(|(_, node)| counts(node))
            }
            Message::VoteRequest { .. } | Message::Append { .. } | Message::Committed { .. } => {
                let (sender, n) = message.sender();
                let mut others = self.voters(bounds).filter(|(me, _)| *me != sender);
                others.any(|(_, node)| node.kept_promise.n <= n)
            }
        }
    }
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A replica stands for election.
    Stand(u8),
    /// A candidate has a majority.
    Win(u8),
    /// A leader takes an event from a client.
    Publish(u8),
    /// A leader counts what it was told.
    Commit(u8),
    /// A replica learns where its log parts from the leader's.
    Find(u8),
    /// What was written is durable.
    Persist(u8),
    /// A node crashes and starts again.
    Crash(u8),
    /// A node loses its disk and starts again under its old name.
    Wipe(u8),
    /// A node starts, and has forgotten what it promised, and its log but so much of it.
    Rot(u8, u8),
    /// A node is parked: its disk is too full.
    Park(u8),
    /// A parked node has room again.
    Resume(u8),
    /// A node hears a message.
    Hear(u8, Message),
}
