//! What happens to a node's disk and power: writes become durable, crashes take what was not, a
//! full disk parks the node.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::ReplicaRole;

use super::{Mutant, Node, node::Promise, step::Step};

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
