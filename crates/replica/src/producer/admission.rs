//! Whether events of an idempotent producer are new, known, or out of place (protocol §14).

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Link, ProducerEpoch, ProducerId, ProducerSeq, Seq, frame::AppendedRun};

use super::{
    FIRST, Numbers, ProducerTable,
    gaps::{MOST_GAPS, Span},
    table::Producer,
};

/// The place of a request in its producer's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// All but the first `known` events are new; those known are in the log at `earlier`.
    Append {
        known: u32,
        earlier: Vec<AppendedRun>,
    },
    /// Of the events, these are new and lie between others that are in the log: when they are there as
    /// well, the request is judged again.
    AppendPart { skip: u32, count: u32 },
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
            Some(known) if known.epoch == epoch && self.numbers == Numbers::Gaps => {
                known.judge_with_gaps(base, count)
            }
            Some(known) if known.epoch == epoch => known.judge(base, count),
            Some(known) if known.epoch > epoch => Admission::Fenced {
                current: known.epoch,
            },
            Some(_) | None if base == FIRST || self.numbers == Numbers::Gaps => {
                Admission::append_all()
            }
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

    /// The same where numbers may be missing: whatever is not in the log is new.
    fn judge_with_gaps(&self, base: ProducerSeq, count: u32) -> Admission {
        let asked = Span::new(base, base.plus(count.into()));
        if base > self.next && self.gaps.len() >= MOST_GAPS {
            return Admission::OutOfOrder {
                expected: self.next,
            };
        }
        let above = Span::new(self.next, asked.to.max(self.next));
        let missing = self.gaps.within(asked).chain(above.common(asked)).next();
        let Some(missing) = missing else {
            return self.known(asked);
        };
        let is_rest = missing.to == asked.to || (missing.to == self.next && asked.to > self.next);
        if !is_rest {
            return Admission::AppendPart {
                skip: events(base, missing.from),
                count: events(missing.from, missing.to),
            };
        }
        match self.known(Span::new(base, missing.from)) {
            _ if missing.from == base => Admission::append_all(),
            Admission::Known { runs, .. } => Admission::Append {
                known: events(base, missing.from),
                earlier: runs,
            },
            other => other,
        }
    }

    /// Where events are that are all in the log, if that is remembered.
    fn known(&self, asked: Span) -> Admission {
        let mut parts: Vec<(Span, Seq, Link)> = self
            .runs
            .iter()
            .filter_map(|run| {
                let part = run.span().common(asked)?;
                Some((part, run.first.plus(part.from.since(run.base)), run.link))
            })
            .collect();
        parts.sort_unstable_by_key(|(part, ..)| part.from);
        let found: u64 = parts
            .iter()
            .map(|(part, ..)| part.to.since(part.from))
            .sum();
        let last = |(part, first, _): &(Span, Seq, Link)| first.plus(part.to.since(part.from) - 1);
        let Some(end) = parts.iter().max_by_key(|part| last(part)) else {
            return Admission::Forgotten;
        };
        if found < asked.to.since(asked.from) {
            return Admission::Forgotten;
        }
        let (last, link) = (last(end), end.2);
        let runs = parts.iter().map(|(part, first, _)| AppendedRun {
            first: *first,
            count: events(part.from, part.to),
            duplicate: true,
        });
        Admission::Known {
            runs: runs.collect(),
            last,
            link,
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

/// How many events lie between two numbers of one request.
fn events(from: ProducerSeq, to: ProducerSeq) -> u32 {
    u32::try_from(to.since(from)).unwrap_or(u32::MAX)
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
            link: Link::from_bytes([seq.to_le_bytes()[0]; 16]),
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
        let mut table = ProducerTable::new(Numbers::Contiguous, 2);
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

    /// Events 1..=3 at seqs 10..=12, 8..=9 at 20..=21, and then 5 at 30.
    fn with_gaps() -> ProducerTable {
        let mut table = ProducerTable::new(Numbers::Gaps, 8);
        table.apply(&header(0, 1, 3, 10), None);
        table.apply(&header(0, 8, 2, 20), None);
        table.apply(&header(0, 5, 1, 30), None);
        table
    }

    #[test]
    fn with_gaps_whatever_is_missing_is_new() {
        let table = with_gaps();
        for (base, count) in [(4, 1), (6, 2), (6, 1), (10, 5), (12, 1)] {
            assert_eq!(judge(&table, 0, base, count), Admission::append_all());
        }
        assert_eq!(
            judge(&ProducerTable::new(Numbers::Gaps, 8), 0, 7, 1),
            Admission::append_all()
        );
        let earlier = vec![duplicate(12, 1)];
        assert_eq!(
            judge(&table, 0, 3, 2),
            Admission::Append { known: 1, earlier }
        );
    }

    #[test]
    fn with_gaps_known_events_are_found_wherever_they_are() {
        let mut table = with_gaps();
        let expected = Admission::Known {
            runs: vec![duplicate(20, 2)],
            last: Seq::new(21),
            link: Link::from_bytes([20; 16]),
        };
        assert_eq!(judge(&table, 0, 8, 2), expected);
        table.apply(&header(0, 4, 1, 40), None);
        let expected = Admission::Known {
            runs: vec![duplicate(11, 2), duplicate(40, 1), duplicate(30, 1)],
            last: Seq::new(40),
            link: Link::from_bytes([40; 16]),
        };
        assert_eq!(judge(&table, 0, 2, 4), expected);
    }

    #[test]
    fn with_gaps_what_is_missing_between_known_events_comes_first() {
        let table = with_gaps();
        let part = |skip, count| Admission::AppendPart { skip, count };
        assert_eq!(judge(&table, 0, 3, 3), part(1, 1));
        assert_eq!(judge(&table, 0, 5, 10), part(1, 2));
        assert_eq!(
            judge(&table, 0, 8, 3),
            Admission::Append {
                known: 2,
                earlier: vec![duplicate(20, 2)]
            }
        );
    }

    /// What a fork brings late must not put out what the producer may not have heard of yet.
    #[test]
    fn with_gaps_the_lowest_numbers_are_forgotten_first_whenever_they_were_written() {
        let mut table = ProducerTable::new(Numbers::Gaps, 2);
        table.apply(&header(0, 8, 2, 20), None);
        table.apply(&header(0, 10, 1, 22), None);
        let before = table.producers.clone();
        for (base, seq) in [(1, 30), (2, 31), (5, 32)] {
            table.apply(&header(0, base, 1, seq), None);
        }
        assert_eq!(judge(&table, 0, 1, 1), Admission::Forgotten);
        assert!(matches!(judge(&table, 0, 8, 3), Admission::Known { .. }));
        table.rollback(Seq::new(22));
        assert_eq!(table.producers, before);
        // There is room: it stays, wherever it belongs.
        let mut table = ProducerTable::new(Numbers::Gaps, 3);
        table.apply(&header(0, 8, 2, 20), None);
        let before = table.producers.clone();
        table.apply(&header(0, 3, 1, 30), None);
        assert!(matches!(judge(&table, 0, 3, 1), Admission::Known { .. }));
        table.rollback(Seq::new(21));
        assert_eq!(table.producers, before);
        table.apply(&header(0, 3, 1, 30), None);
        table.commit(Seq::new(30));
        let restored = ProducerTable::restore(&table.snapshot(), Numbers::Gaps, 3);
        assert_eq!(restored.unwrap().producers, table.producers);
    }

    #[test]
    fn gaps_are_bounded_and_come_back_when_what_filled_them_is_cut() {
        let mut table = with_gaps();
        let before = table.producers.clone();
        table.apply(&header(0, 4, 1, 40), None);
        table.apply(&header(0, 20, 1, 41), None);
        table.rollback(Seq::new(30));
        assert_eq!(table.producers, before);
        let most = u64::try_from(MOST_GAPS).unwrap();
        for gap in 0..most {
            table.apply(&header(0, 20 + 2 * gap, 1, 50 + gap), None);
        }
        let refused = judge(&table, 0, 20 + 2 * most, 1);
        assert!(
            matches!(refused, Admission::OutOfOrder { .. }),
            "{refused:?}"
        );
    }
}
