//! Whether events of an idempotent producer are new, known, or out of place (protocol §14).

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Link, ProducerEpoch, ProducerId, ProducerSeq, Seq, frame::AppendedRun};

use super::{ProducerTable, table::Producer};

/// The place of a request in its producer's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// All but the first `known` events are new; those known are in the log at `earlier`.
    Append {
        known: u32,
        earlier: Vec<AppendedRun>,
    },
    /// All events are in the log.
    Known {
        runs: Vec<AppendedRun>,
        last: Seq,
        link: Link,
    },
    /// Events before these are missing.
    OutOfOrder { expected: ProducerSeq },
    /// A newer incarnation exists.
    Fenced { current: ProducerEpoch },
    /// Older than what is remembered.
    Forgotten,
}

const FIRST: ProducerSeq = ProducerSeq::new(1);

impl ProducerTable {
    /// Judges `count` events from `base` on.
    pub(crate) fn judge(
        &self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        base: ProducerSeq,
        count: u32,
    ) -> Admission {
        match self.get(producer) {
            Some(known) if known.epoch == epoch => known.judge(base, count),
            Some(known) if known.epoch > epoch => Admission::Fenced {
                current: known.epoch,
            },
            Some(_) | None if base == FIRST => Admission::append_all(),
            Some(_) | None => Admission::OutOfOrder { expected: FIRST },
        }
    }
}

impl Admission {
    pub(crate) const fn append_all() -> Self {
        Self::Append {
            known: 0,
            earlier: Vec::new(),
        }
    }
}

impl Producer {
    fn judge(&self, base: ProducerSeq, count: u32) -> Admission {
        if base == self.next || (base < self.next && planted(Mutant::RetryAppendedAgain)) {
            return Admission::append_all();
        }
        if base > self.next {
            return Admission::OutOfOrder {
                expected: self.next,
            };
        }
        let end = base.plus(count.into()).min(self.next);
        let oldest = self.runs.front().map_or(self.next, |run| run.base);
        let Some(last) = self.runs.iter().rev().find(|run| run.base < end) else {
            return Admission::Forgotten;
        };
        if base < oldest {
            return Admission::Forgotten;
        }
        let runs = self.runs_between(base, end);
        if base.plus(count.into()) > self.next {
            let known = u32::try_from(self.next.since(base)).unwrap_or(count);
            return Admission::Append {
                known,
                earlier: runs,
            };
        }
        Admission::Known {
            runs,
            last: last.first.plus(end.since(last.base) - 1),
            link: last.link,
        }
    }

    fn runs_between(&self, base: ProducerSeq, end: ProducerSeq) -> Vec<AppendedRun> {
        let skip = self.runs.partition_point(|run| run.end() <= base);
        let mut found: Vec<AppendedRun> = Vec::new();
        for run in self.runs.range(skip..).take_while(|run| run.base < end) {
            let from = base.max(run.base);
            let first = run.first.plus(from.since(run.base));
            let count = u32::try_from(run.end().min(end).since(from)).unwrap_or(run.count);
            match found.last_mut() {
                Some(before) if before.first.plus(before.count.into()) == first => {
                    before.count += count;
                }
                Some(_) | None => found.push(AppendedRun {
                    first,
                    count,
                    duplicate: true,
                }),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::{BatchHeader, BatchKind, Epoch, VoterId};

    use super::*;

    fn header(epoch: u32, base: u64, count: u32, seq: u64) -> BatchHeader {
        BatchHeader {
            kind: BatchKind::Data,
            has_origin: false,
            base_seq: Seq::new(seq),
            count,
            epoch: Epoch::new(1, VoterId::from_bytes([1; 16])),
            producer: pid(),
            producer_epoch: ProducerEpoch::new(epoch),
            base_producer_seq: ProducerSeq::new(base),
            ts_ms: 0,
            body_len: 0,
            body_crc: 0,
            link: Link::from_bytes([u8::try_from(seq).unwrap(); 16]),
        }
    }

    fn pid() -> ProducerId {
        ProducerId::from_bytes([7; 16])
    }

    fn judge(table: &ProducerTable, epoch: u32, base: u64, count: u32) -> Admission {
        table.judge(
            pid(),
            ProducerEpoch::new(epoch),
            ProducerSeq::new(base),
            count,
        )
    }

    fn duplicate(first: u64, count: u32) -> AppendedRun {
        AppendedRun {
            first: Seq::new(first),
            count,
            duplicate: true,
        }
    }

    /// Events 1..=3 at seqs 10..=12, 4..=5 at 20..=21.
    fn table() -> ProducerTable {
        let mut table = ProducerTable::new(2);
        table.apply(&header(0, 1, 3, 10), None);
        table.apply(&header(0, 4, 2, 20), None);
        table
    }

    #[test]
    fn the_next_is_new_and_a_gap_is_refused() {
        assert_eq!(judge(&table(), 0, 6, 1), Admission::append_all());
        let expected = ProducerSeq::new(6);
        assert_eq!(judge(&table(), 0, 7, 1), Admission::OutOfOrder { expected });
    }

    #[test]
    fn known_events_are_answered_with_their_original_seqs_however_they_are_cut() {
        let known = judge(&table(), 0, 2, 3);
        let expected = Admission::Known {
            runs: vec![duplicate(11, 2), duplicate(20, 1)],
            last: Seq::new(20),
            link: Link::from_bytes([20; 16]),
        };
        assert_eq!(known, expected);
        assert_eq!(
            judge(&table(), 0, 5, 4),
            Admission::Append {
                known: 1,
                earlier: vec![duplicate(21, 1)]
            }
        );
    }

    #[test]
    fn a_newer_incarnation_begins_at_one_and_fences_the_older() {
        let mut table = table();
        assert_eq!(judge(&table, 1, 1, 1), Admission::append_all());
        assert_eq!(
            judge(&table, 1, 2, 1),
            Admission::OutOfOrder { expected: FIRST }
        );
        table.apply(&header(1, 1, 1, 30), None);
        let current = ProducerEpoch::new(1);
        assert_eq!(judge(&table, 0, 6, 1), Admission::Fenced { current });
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten_not_guessed() {
        let mut table = table();
        table.apply(&header(0, 6, 1, 30), None);
        assert_eq!(judge(&table, 0, 1, 1), Admission::Forgotten);
        assert_eq!(judge(&table, 0, 3, 2), Admission::Forgotten);
        assert!(matches!(judge(&table, 0, 4, 1), Admission::Known { .. }));
    }

    #[test]
    fn truncation_takes_back_exactly_what_the_cut_batches_did() {
        let mut table = table();
        let before = table.producers.clone();
        table.apply(&header(0, 6, 1, 30), None);
        table.apply(&header(1, 1, 1, 31), None);
        table.rollback(Seq::new(25));
        assert_eq!(table.producers, before);
        table.commit(Seq::new(21));
        table.rollback(Seq::ZERO);
        assert_eq!(table.producers, before, "committed batches are not undone");
    }
}
