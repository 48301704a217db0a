//! One node: what it has in memory, and what of that a crash would leave. Its forks are elsewhere.

use std::hash::{Hash, Hasher};

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::ReplicaRole;

use super::{Log, Pair};
use crate::{Coverage, role};

/// One node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// A candidate is one only in the course of a step.
    pub role: ReplicaRole,
    /// The highest epoch that it saw: its own if it leads, its leader's if it follows.
    pub seen: Pair,
    /// The same on disk.
    pub kept_seen: Pair,
    /// The log as it was issued.
    pub log: Log,
    /// The log on disk.
    pub kept_log: Log,
    /// It leads, has met another leader and stands still. All of its log is durable then.
    pub still: bool,
}

/// Three words, and not one for each field: states are hashed by the million.
impl Hash for Node {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let still = u8::from(self.still);
        let (seen, kept) = (self.seen.index(), self.kept_seen.index());
        hasher.write_u32(u32::from_le_bytes([self.role as u8, seen, kept, still]));
        self.log.hash(hasher);
        self.kept_log.hash(hasher);
    }
}

impl Node {
    /// A node that was just started for the first time.
    #[must_use]
    pub fn new(coverage: &Coverage) -> Self {
        let mut node = Self {
            role: ReplicaRole::Idle,
            seen: Pair::default(),
            kept_seen: Pair::default(),
            log: Log::default(),
            kept_log: Log::default(),
            still: false,
        };
        node.select(coverage);
        node
    }

    /// Its role changes.
    pub fn change_role(&mut self, to: ReplicaRole, signal: TransitionSignal, coverage: &Coverage) {
        self.role = role::changed(self.role, to, signal, coverage);
    }

    fn select(&mut self, coverage: &Coverage) {
        let signal = TransitionSignal::CapabilitySelected;
        self.change_role(ReplicaRole::Replica, signal, coverage);
    }

    /// Whether it leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.role == ReplicaRole::Leader
    }

    /// Whether it leads and may write.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.leads() && !self.still
    }

    /// Whether its log is durable to the end.
    #[must_use]
    pub fn is_all_durable(&self) -> bool {
        self.log == self.kept_log
    }

    /// The part of its log that a crash would leave, and that is not about to be cut.
    #[must_use]
    pub fn durable(&self) -> Log {
        self.log.prefix(self.log.common(self.kept_log))
    }

    /// Everything that was issued is durable.
    pub fn sync(&mut self) {
        self.kept_seen = self.seen;
        self.kept_log = self.log;
    }

    /// Power fails and comes back: what was not synced is gone.
    pub fn crash(&mut self, coverage: &Coverage) {
        *self = Self {
            role: ReplicaRole::Idle,
            seen: self.kept_seen,
            log: self.kept_log,
            still: false,
            ..*self
        };
        self.select(coverage);
    }
}
