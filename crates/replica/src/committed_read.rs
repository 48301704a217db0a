//! Where a reader finds what is committed.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Batch, Seq};

use crate::{HaltReason, Replica};

/// What a read of committed batches comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommittedRead {
    /// Whole batches from the one that holds the seq on: at least one.
    Batches(Vec<Batch>),
    /// They are in the log, and not in memory any more. Nothing after `upto` is to be taken from
    /// there: the disk may still hold what was cut off and replaced.
    InLog {
        /// The last seq that is committed and durable here.
        upto: Seq,
    },
    /// Not committed yet: to be asked again after a step.
    NotYet,
    /// Retention has dropped it.
    Trimmed {
        /// The first seq that is still there.
        log_start: Seq,
    },
    /// The channel is halted on this node and serves nothing.
    Halted(HaltReason),
}

impl Replica {
    /// Reads what is committed from `from` on, at most `max_bytes` of it, but at least one batch.
    #[must_use]
    pub fn read_committed(&self, from: Seq, max_bytes: usize) -> CommittedRead {
        if let Some(reason) = &self.halted {
            return CommittedRead::Halted(reason.clone());
        }
        let log_start = self.log.start().seq.next();
        if from < log_start {
            return CommittedRead::Trimmed { log_start };
        }
        if from > self.commit.min(self.log.tail().seq) {
            return CommittedRead::NotYet;
        }
        let recent = self.log.recent();
        if let Some(index) = recent.index_of(from) {
            let mut batches = recent.take_from(index, max_bytes, usize::MAX);
            if !planted(Mutant::ServeUncommitted) {
                batches.retain(|batch| batch.last_seq() <= self.commit);
            }
            if !batches.is_empty() {
                return CommittedRead::Batches(batches);
            }
        }
        let mut upto = self.commit.min(self.log.durable().seq);
        if planted(Mutant::ReadBeyondDurable) {
            upto = self.commit;
        }
        if from > upto {
            return CommittedRead::NotYet;
        }
        CommittedRead::InLog { upto }
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::LogPosition;

    use super::*;
    use crate::{Input, testing::Bench};

    const MUCH: usize = 1 << 20;

    /// A follower that was told of a second batch, which is committed and not durable here.
    fn follower() -> (Bench, LogPosition) {
        let mut bench = Bench::follower(3);
        let second = bench.noop(1, &bench.replica.view().tail, 1);
        let tail = bench.replica.view().tail;
        bench.append(1, tail, 2, vec![second]);
        let view = bench.replica.view();
        assert_eq!((view.commit, view.durable.seq), (Seq::new(2), Seq::new(1)));
        (bench, view.tail)
    }

    #[test]
    fn what_is_committed_is_read_from_memory_as_long_as_it_is_there() {
        let (bench, _) = follower();
        let CommittedRead::Batches(batches) = bench.replica.read_committed(Seq::new(1), MUCH)
        else {
            panic!("both are in memory");
        };
        assert_eq!(batches.len(), 2);
        let third = bench.replica.read_committed(Seq::new(3), MUCH);
        assert_eq!(third, CommittedRead::NotYet);
    }

    #[test]
    fn nothing_is_taken_from_the_disk_that_is_not_durable_there() {
        let (mut bench, _) = follower();
        bench.replica.set_recent_bytes(0);
        let first = bench.replica.read_committed(Seq::new(1), MUCH);
        let upto = Seq::new(1);
        assert_eq!(
            first,
            CommittedRead::InLog { upto },
            "after it the disk may still hold a batch that was cut off"
        );
        bench.persist_all();
        bench.replica.set_recent_bytes(0);
        let first = bench.replica.read_committed(Seq::new(1), MUCH);
        let upto = Seq::new(2);
        assert_eq!(first, CommittedRead::InLog { upto });
    }

    #[test]
    fn a_halted_channel_serves_nothing() {
        let (mut bench, _) = follower();
        bench.step(Input::Corrupt);
        assert_eq!(
            bench.replica.read_committed(Seq::new(1), MUCH),
            CommittedRead::Halted(HaltReason::Corrupt)
        );
    }
}
