//! What happens to a node's disk and power: writes become durable, crashes take what was not, a
//! full disk parks the node.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::ReplicaRole;

use super::{Mutant, Node, node::Promise, step::Step};
use tetrarch_replica::decide::may_leave_limbo;

impl Step<'_> {
    /// What was written is durable, and what waited for that is said.
    pub(crate) fn persist(&mut self) {
        if !self.node.has_unsynced() {
            return;
        }
        let promised = !self.node.may_speak();
        self.node.sync();
        if promised {
            self.tell_promise();
        }
        self.acknowledge();
        self.leave_limbo();
    }

    /// Votes again from here on, once that is durable.
    fn leave_limbo(&mut self) {
        let Some(limbo) = self.node.promise.claim() else {
            return;
        };
        let (log, commit) = (self.node.durable_end(), self.node.commit);
        let is_due = if self.is(Mutant::LeavesLimboAtCommit) {
            self.node.following.is_some() && self.node.durable >= commit
        } else {
            may_leave_limbo(limbo, log)
        };
        if is_due {
            self.node.promise.limbo = None;
        }
    }

    /// Power fails and comes back, and a part of the write-ahead log is gone: promises, and the log
    /// after `left`. What is known is a number that no promise was above; the tightest one is taken.
    pub(crate) fn rot(&mut self, left: u8) {
        self.crash();
        let forgotten = self.node.promise;
        let log = self.node.log.prefix(left);
        let claim = if self.is(Mutant::LimboRemembersEpoch) {
            let end = log.position(log.len());
            u8::try_from(end.epoch.n).unwrap_or(u8::MAX)
        } else {
            forgotten.n
        };
        let promise = if self.is(Mutant::RotAsTorn) {
            forgotten
        } else {
            Promise {
                n: claim + 1,
                voted: None,
                limbo: Some(claim),
            }
        };
        self.node = Node {
            promise,
            kept_promise: promise,
            log,
            kept_log: log,
            durable: log.len(),
            commit: 0,
            ..self.node
        };
    }

    /// Power fails and comes back.
    pub(crate) fn crash(&mut self) {
        let coverage = self.coverage();
        self.node.crash(coverage);
        if self.is(Mutant::VoteLostOnCrash) {
            self.node.promise.voted = None;
            self.node.kept_promise = self.node.promise;
        }
    }

    /// The disk is replaced, and the node says that it is who it was.
    pub(crate) fn wipe(&mut self) {
        let coverage = self.coverage();
        self.node = Node {
            wiped: true,
            ..Node::new(coverage)
        };
        debug_assert_eq!(self.node.promise, Promise::default());
    }

    /// The disk is too full to take part: what was promised and written stays.
    pub(crate) fn park(&mut self) {
        let signal = match self.node.role {
            ReplicaRole::Replica => TransitionSignal::DiskPressureWithdraw,
            ReplicaRole::Candidate => TransitionSignal::CandidateDiskPressureWithdraw,
            ReplicaRole::Leader => TransitionSignal::LeaderDiskPressureWithdraw,
            ReplicaRole::Idle => return,
        };
        self.change_role(ReplicaRole::Idle, signal);
        self.node.forget_leader();
    }

    /// There is room again.
    pub(crate) fn resume(&mut self) {
        if self.node.role == ReplicaRole::Idle {
            let coverage = self.coverage();
            self.node.select(coverage);
        }
    }
}
