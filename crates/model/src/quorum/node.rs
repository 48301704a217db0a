//! One voter: what it has in memory, and what of that a crash would leave.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{Epoch, HardState, Limbo, LogPosition, ReplicaRole, VoterId};

use super::Log;
use crate::{Coverage, role, voter::voter};

/// The election promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Promise {
    /// The highest number of an epoch that was seen.
    pub n: u8,
    /// To whom the vote in it went.
    pub voted: Option<u8>,
    /// Up to which number it may have forgotten what it promised, if it has forgotten anything.
    pub limbo: Option<u8>,
}

impl Promise {
    /// As the replica knows it.
    #[must_use]
    pub fn hard_state(self) -> HardState {
        HardState {
            epoch_seen: Epoch::new(u64::from(self.n), VoterId::NONE),
            voted_for: self.voted.map(voter),
            limbo: self.claim(),
        }
    }

    /// What it may have forgotten.
    #[must_use]
    pub fn claim(self) -> Option<Limbo> {
        let claim = self.limbo?;
        Some(Limbo {
            claim: u64::from(claim),
        })
    }
}

/// One voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Idle means parked: a node that starts takes part at once.
    pub role: ReplicaRole,
    /// The promise as it was issued.
    pub promise: Promise,
    /// The promise on disk.
    pub kept_promise: Promise,
    /// The log as it was issued.
    pub log: Log,
    /// The log on disk. It differs from the durable part only until a truncation is durable.
    pub kept_log: Log,
    /// How much of `log` is durable.
    pub durable: u8,
    /// Whom it follows in the epoch of its promise.
    pub following: Option<u8>,
    /// Up to here its log is known to be the leader's.
    pub verified: u8,
    /// Up to here it knows the log to be committed. A crash spares as much of this as is durable,
    /// as the strictest hint would: it decides nothing but what must not be cut.
    pub commit: u8,
    /// Its disk was wiped.
    pub wiped: bool,
}

impl Node {
    /// A node that was just started for the first time.
    #[must_use]
    pub fn new(coverage: &Coverage) -> Self {
        let mut node = Self {
            role: ReplicaRole::Idle,
            promise: Promise::default(),
            kept_promise: Promise::default(),
            log: Log::default(),
            kept_log: Log::default(),
            durable: 0,
            following: None,
            verified: 0,
            commit: 0,
            wiped: false,
        };
        node.select(coverage);
        node
    }

    /// Its role changes.
    pub fn change_role(&mut self, to: ReplicaRole, signal: TransitionSignal, coverage: &Coverage) {
        self.role = role::changed(self.role, to, signal, coverage);
    }

    /// Idle no longer.
    pub fn select(&mut self, coverage: &Coverage) {
        let signal = TransitionSignal::CapabilitySelected;
        self.change_role(ReplicaRole::Replica, signal, coverage);
    }

    /// Follows nobody.
    pub fn forget_leader(&mut self) {
        self.following = None;
        self.verified = 0;
    }

    /// Whether everything that it promised is on disk. Until then it says nothing.
    #[must_use]
    pub fn may_speak(&self) -> bool {
        self.promise == self.kept_promise
    }

    /// Whether its log is durable to the end.
    #[must_use]
    pub fn is_all_durable(&self) -> bool {
        self.durable == self.log.len()
    }

    /// The end of the durable part of its log.
    #[must_use]
    pub fn durable_end(&self) -> LogPosition {
        self.log.position(self.durable)
    }

    /// Whether a write is under way.
    #[must_use]
    pub fn has_unsynced(&self) -> bool {
        !self.may_speak() || !self.is_all_durable() || self.kept_log != self.log
    }

    /// Everything that was issued is durable.
    pub fn sync(&mut self) {
        self.kept_promise = self.promise;
        self.kept_log = self.log;
        self.durable = self.log.len();
    }

    /// Up to `seq` its log is committed.
    pub fn committed(&mut self, seq: u8) {
        self.commit = self.commit.max(seq);
    }

    /// Power fails and comes back: what was not synced is gone.
    pub fn crash(&mut self, coverage: &Coverage) {
        *self = Self {
            role: ReplicaRole::Idle,
            promise: self.kept_promise,
            log: self.kept_log,
            durable: self.kept_log.len(),
            following: None,
            verified: 0,
            commit: self.commit.min(self.log.common(self.kept_log)),
            ..*self
        };
        self.select(coverage);
    }
}
