//! A leader appends, counts and commits. What counts is decided by the shipped
//! [`committed_by_count`].

use tetrarch_replica::decide::committed_by_count;
use tetrarch_wire::{ReplicaRole, Seq};

use super::{
    Entry, Log, Message, Mutant,
    step::{Step, small},
};

impl Step<'_> {
    /// A client publishes the event number `event`.
    pub(crate) fn publish(&mut self, event: u8) {
        if self.node.role == ReplicaRole::Leader {
            let entry = Entry::event(self.node.promise.n, self.me, event);
            self.append_own(entry);
        }
    }

    /// A batch leaves for the replicas while it is being written.
    pub(crate) fn append_own(&mut self, entry: Entry) {
        self.node.log.push(entry);
        self.say(Message::Append {
            n: self.node.promise.n,
            leader: self.me,
            log: self.node.log,
        });
    }

    /// Counts what it was told, and tells what is committed.
    pub(crate) fn commit(&mut self) {
        let Some(commit) = self.counted() else {
            return;
        };
        if commit > self.node.commit {
            let n = self.node.promise.n;
            self.node.committed(commit);
            self.acked.acknowledge(self.node.log.prefix(commit), n);
            self.say(Message::Committed {
                n,
                leader: self.me,
                seq: commit,
            });
        }
    }

    fn counted(&self) -> Option<u8> {
        if self.node.role != ReplicaRole::Leader {
            return None;
        }
        let start = if self.is(Mutant::CommitOldEpochByCount) {
            Seq::FIRST
        } else {
            self.node.log.start_of(self.node.promise.n)?
        };
        let bounds = self.model.bounds();
        let durable = (0..bounds.voters).map(|voter| self.held_by(voter));
        committed_by_count(durable.collect(), bounds.majority(), start).map(small)
    }

    /// Whether an acknowledgement has the leader's own link at its seq.
    fn counts(&self, held: Log) -> bool {
        let own = self.node.log;
        held.is_prefix_of(own) || self.is(Mutant::CompareSeqAlone) && held.len() <= own.len()
    }

    /// How far a voter holds this log durably, as far as the leader has heard.
    fn held_by(&self, voter: u8) -> Seq {
        let node = &self.node;
        let seq = if voter != self.me {
            let (messages, n) = (&self.before.messages, node.promise.n);
            messages.acked_by(voter, n, |held| self.counts(held))
        } else if self.is(Mutant::CountBeforeFsync) {
            node.log.len()
        } else {
            node.durable
        };
        Seq::new(u64::from(seq))
    }
}
