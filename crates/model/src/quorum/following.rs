//! A replica follows: it compares, appends, cuts and acknowledges. Where it may cut and how much
//! it acknowledges is decided by the shipped [`may_cut`] and [`to_acknowledge`].
//!
//! What one step writes becomes durable together, as one group of the write-ahead log does.

use tetrarch_replica::decide::{may_cut, to_acknowledge};
use tetrarch_wire::{ReplicaRole, Seq};

use super::{
    Log, Message, Mutant,
    step::{Step, small},
};

impl Step<'_> {
    /// Whether the leader is to be followed, if need be from now on.
    fn hear_leader(&mut self, n: u8, leader: u8) -> bool {
        let parked = self.node.role == ReplicaRole::Idle;
        if parked || leader == self.me || n < self.node.promise.n {
            return false;
        }
        if n > self.node.promise.n {
            self.adopt(n);
        } else if self.node.following.is_some() {
            return self.node.following == Some(leader);
        }
        self.step_aside();
        if self.node.role != ReplicaRole::Replica {
            return false;
        }
        self.node.following = Some(leader);
        if self.is(Mutant::TruncateToHighWatermark) {
            self.cut_memory(self.node.commit);
        }
        true
    }

    /// The leader pushes a batch, the last one of `log`; or it serves the next one that is lacking.
    pub(crate) fn hear_append(&mut self, n: u8, leader: u8, log: Log) {
        if !self.hear_leader(n, leader) {
            return;
        }
        let before = log.len() - 1;
        let own = self.node.log;
        if log.is_prefix_of(own) {
            self.verify(log.len());
        } else if self.continues(log.prefix(before)) {
            if own.len() > before && !self.cut(before) {
                return;
            }
            self.take(log, log.len());
        } else if self.node.verified == own.len() && own.is_prefix_of(log) {
            self.take(log, own.len() + 1);
        }
        self.acknowledge();
    }

    /// Appends the batch of the leader's log at `seq`.
    fn take(&mut self, log: Log, seq: u8) {
        if let Some(batch) = log.get(seq) {
            self.node.log.push(batch);
        }
        self.verify(seq);
    }

    fn continues(&self, previous: Log) -> bool {
        let own = self.node.log;
        let long_enough = self.is(Mutant::AppendWithoutComparing) && own.len() == previous.len();
        long_enough || previous.is_prefix_of(own)
    }

    fn verify(&mut self, seq: u8) {
        self.node.verified = self.node.verified.max(seq);
    }

    /// Says how much of the leader's log is durable here.
    pub(crate) fn acknowledge(&mut self) {
        let node = &self.node;
        if node.role != ReplicaRole::Replica || node.following.is_none() || !node.may_speak() {
            return;
        }
        let durable = if self.is(Mutant::CountBeforeFsync) {
            node.log.end()
        } else {
            node.durable_end()
        };
        let verified = if self.is(Mutant::CompareSeqAlone) {
            node.log.end()
        } else {
            node.log.position(node.verified)
        };
        let seq = small(to_acknowledge(durable, verified).seq);
        if seq > 0 {
            self.say(Message::Ack {
                n: node.promise.n,
                voter: self.me,
                log: node.log.prefix(seq),
            });
        }
    }

    /// The leader tells what is committed.
    pub(crate) fn hear_committed(&mut self, n: u8, leader: u8, seq: u8) {
        let follows = (self.node.promise.n, self.node.following) == (n, Some(leader));
        if follows && self.node.role == ReplicaRole::Replica {
            let known = seq.min(self.node.verified);
            self.node.committed(known);
        }
    }

    /// The own log parts from the leader's after `point`.
    pub(crate) fn follow_from(&mut self, point: Log) {
        if point.is_prefix_of(self.node.log) && self.cut(point.len()) {
            self.verify(point.len());
            self.acknowledge();
        }
    }

    /// Cuts everything after `point`, unless what is known to be committed would go.
    fn cut(&mut self, point: u8) -> bool {
        let seq = |seq: u8| Seq::new(u64::from(seq));
        let (tail, committed) = (self.node.log.len(), self.node.commit);
        if may_cut(seq(point), seq(tail), seq(committed)) {
            self.cut_memory(point);
            true
        } else {
            self.acked.cut = true;
            false
        }
    }

    fn cut_memory(&mut self, point: u8) {
        let node = &mut self.node;
        if point < node.log.len() {
            self.model.coverage().cut();
        }
        node.log = node.log.prefix(point);
        node.durable = node.durable.min(point);
        node.verified = node.verified.min(point);
    }
}
