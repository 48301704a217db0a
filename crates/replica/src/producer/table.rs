//! The table itself, and the record of how to take back what uncommitted batches did to it.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use tetrarch_wire::{
    BatchHeader, BatchKind, ChannelClass, Link, ProducerEpoch, ProducerId, ProducerSeq, Seq,
    batch::Control, limits,
};

use super::{
    FIRST,
    gaps::{Gaps, Span},
};

/// One batch of a producer: where its events are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) base: ProducerSeq,
    pub(crate) count: u32,
    pub(crate) first: Seq,
    pub(crate) link: Link,
}

impl Run {
    pub(crate) const fn end(&self) -> ProducerSeq {
        self.base.plus(self.count as u64)
    }

    pub(crate) const fn span(&self) -> Span {
        Span::new(self.base, self.end())
    }
}

/// The newest incarnation of one producer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Producer {
    pub(crate) epoch: ProducerEpoch,
    /// One more than the highest number in the log.
    pub(crate) next: ProducerSeq,
    /// The numbers below that are not in the log.
    pub(crate) gaps: Gaps,
    /// Of its batches those with the highest numbers, in the order of the numbers: what it may still ask
    /// for again. Without gaps that is the order of the log.
    pub(crate) runs: VecDeque<Run>,
}

impl Producer {
    /// Whether batches of a log can have made it: each lies further on in the log than the one before
    /// and continues it, and the last one ends where the next begins. With gaps they may lie anywhere in
    /// the log, and a batch has no number that is missing, or is still to come.
    pub(super) fn is_of_a_log(&self, numbers: Numbers) -> bool {
        let (mut next, mut free) = (None, Seq::ZERO);
        for run in &self.runs {
            let is_a_batch = (1..=limits::MAX_BATCH_EVENTS).contains(&run.count);
            let fits = match numbers {
                Numbers::Contiguous => {
                    next.is_none_or(|next| next == run.base) && run.first >= free
                }
                Numbers::Gaps => next.is_none_or(|next| next <= run.base) && self.holds(run.span()),
            };
            if !is_a_batch || !fits {
                return false;
            }
            next = Some(run.end());
            free = run.first.plus(run.count.into());
        }
        match numbers {
            Numbers::Contiguous => self.gaps.is_empty() && next == Some(self.next),
            Numbers::Gaps => self.gaps.is_below(self.next) && next.is_some(),
        }
    }

    fn holds(&self, span: Span) -> bool {
        span.to <= self.next && self.gaps.within(span).next().is_none()
    }

    /// A batch that does not continue the numbers before it. What is forgotten for it are the lowest
    /// numbers, and not what was written first: a fork that is taken in late holds numbers that its
    /// producer is long past, and must not put out those that it may not have heard of yet.
    fn place(&mut self, producer: ProducerId, run: Run, window: usize) -> Undo {
        let (next, gaps) = (self.next, self.gaps.clone());
        if run.base > self.next {
            self.gaps.open(Span::new(self.next, run.base));
        }
        self.gaps.fill(run.span());
        self.next = self.next.max(run.end());
        let index = self.runs.partition_point(|known| known.base < run.base);
        self.runs.insert(index, run);
        let over = self.runs.len() > window;
        let forgotten = if over { self.runs.pop_front() } else { None };
        Undo::Placed {
            producer,
            next,
            gaps,
            index,
            forgotten,
        }
    }

    fn last_seq(&self) -> Seq {
        let seqs = self.runs.iter().map(|run| run.first);
        seqs.max().unwrap_or(Seq::ZERO)
    }
}

/// How to take back what one batch did.
#[derive(Clone, Debug)]
enum Undo {
    Extended {
        producer: ProducerId,
        forgotten: Option<Run>,
    },
    /// It did not continue the numbers before it.
    Placed {
        producer: ProducerId,
        next: ProducerSeq,
        gaps: Gaps,
        /// Where it was put.
        index: usize,
        forgotten: Option<Run>,
    },
    Opened {
        producer: ProducerId,
        before: Option<Producer>,
    },
    Expired {
        before: Vec<(ProducerId, Producer)>,
    },
}

/// Whether the numbers of a producer may have gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Class `quorum`: each batch continues the one before.
    Contiguous,
    /// Class `available`: others may be in a fork.
    Gaps,
}

impl Numbers {
    pub(crate) const fn of(class: ChannelClass) -> Self {
        match class {
            ChannelClass::Quorum => Self::Contiguous,
            ChannelClass::Available(_) => Self::Gaps,
        }
    }
}

/// All producers of a channel.
#[derive(Clone, Debug)]
pub(crate) struct ProducerTable {
    pub(super) numbers: Numbers,
    pub(super) producers: BTreeMap<ProducerId, Producer>,
    undo: VecDeque<(Seq, Undo)>,
    window: usize,
}

impl ProducerTable {
    pub(crate) fn new(numbers: Numbers, window: usize) -> Self {
        Self::with(BTreeMap::new(), numbers, window)
    }

    pub(super) fn with(
        producers: BTreeMap<ProducerId, Producer>,
        numbers: Numbers,
        window: usize,
    ) -> Self {
        Self {
            numbers,
            producers,
            undo: VecDeque::new(),
            window,
        }
    }

    pub(crate) const fn numbers(&self) -> Numbers {
        self.numbers
    }

    pub(crate) fn len(&self) -> usize {
        self.producers.len()
    }

    pub(crate) fn get(&self, producer: ProducerId) -> Option<&Producer> {
        self.producers.get(&producer)
    }

    /// Takes one more batch of the log in.
    pub(crate) fn apply(&mut self, header: &BatchHeader, control: Option<&Control>) {
        if header.kind == BatchKind::Data && header.producer.is_idempotent() {
            if let Some(undo) = self.apply_data(header) {
                self.undo.push_back((header.last_seq(), undo));
            }
        } else if let Some(Control::ProducerExpire { producers }) = control {
            let before = producers
                .iter()
                .filter_map(|id| Some((*id, self.producers.remove(id)?)))
                .collect();
            self.undo
                .push_back((header.last_seq(), Undo::Expired { before }));
        }
    }

    fn apply_data(&mut self, header: &BatchHeader) -> Option<Undo> {
        let producer = header.producer;
        let run = Run {
            base: header.base_producer_seq,
            count: header.count,
            first: header.base_seq,
            link: header.link,
        };
        match self.producers.get_mut(&producer) {
            Some(known) if known.epoch == header.producer_epoch && known.next == run.base => {
                known.next = run.end();
                known.runs.push_back(run);
                let over = known.runs.len() > self.window;
                let forgotten = if over { known.runs.pop_front() } else { None };
                Some(Undo::Extended {
                    producer,
                    forgotten,
                })
            }
            Some(known)
                if self.numbers == Numbers::Gaps && known.epoch >= header.producer_epoch =>
            {
                // An earlier incarnation's, out of a fork: what that sends is refused in any case.
                (known.epoch == header.producer_epoch)
                    .then(|| known.place(producer, run, self.window))
            }
            Some(_) | None => {
                let mut gaps = Gaps::default();
                if self.numbers == Numbers::Gaps && run.base > FIRST {
                    gaps.open(Span::new(FIRST, run.base));
                }
                let opened = Producer {
                    epoch: header.producer_epoch,
                    next: run.end(),
                    gaps,
                    runs: VecDeque::from([run]),
                };
                let before = self.producers.insert(producer, opened);
                Some(Undo::Opened { producer, before })
            }
        }
    }

    /// Everything up to `upto` is committed and will never be taken back.
    pub(crate) fn commit(&mut self, upto: Seq) {
        while self.undo.front().is_some_and(|(seq, _)| *seq <= upto) {
            self.undo.pop_front();
        }
    }

    /// Takes back what the batches after `after` did.
    pub(crate) fn rollback(&mut self, after: Seq) {
        while self.undo.back().is_some_and(|(seq, _)| *seq > after) {
            if let Some((_, undo)) = self.undo.pop_back() {
                self.take_back(undo);
            }
        }
    }

    fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::Extended {
                producer,
                forgotten,
            } => {
                let Some(known) = self.producers.get_mut(&producer) else {
                    return;
                };
                if let Some(run) = known.runs.pop_back() {
                    known.next = run.base;
                }
                if let Some(run) = forgotten {
                    known.runs.push_front(run);
                }
            }
            Undo::Placed {
                producer,
                next,
                gaps,
                index,
                forgotten,
            } => {
                let Some(known) = self.producers.get_mut(&producer) else {
                    return;
                };
                if let Some(run) = forgotten {
                    known.runs.push_front(run);
                }
                known.runs.remove(index);
                (known.next, known.gaps) = (next, gaps);
            }
            Undo::Opened { producer, before } => {
                match before {
                    Some(before) => self.producers.insert(producer, before),
                    None => self.producers.remove(&producer),
                };
            }
            Undo::Expired { before } => self.producers.extend(before),
        }
    }

    /// The table without what is not committed yet.
    pub(super) fn committed(&self) -> Self {
        let mut committed = self.clone();
        committed.rollback(Seq::ZERO);
        committed
    }

    /// The `count` producers that have been quiet for longest, ascending by id.
    pub(crate) fn longest_quiet(&self, count: usize) -> Vec<ProducerId> {
        let mut by_age: Vec<(Seq, ProducerId)> = self
            .producers
            .iter()
            .map(|(id, producer)| (producer.last_seq(), *id))
            .collect();
        by_age.sort_unstable();
        let mut quiet: Vec<ProducerId> = by_age.into_iter().take(count).map(|(_, id)| id).collect();
        quiet.sort_unstable();
        quiet
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::{Epoch, VoterId};

    use super::*;

    fn header(kind: BatchKind, producer: u8, seq: u64) -> BatchHeader {
        BatchHeader {
            kind,
            has_origin: false,
            base_seq: Seq::new(seq),
            count: 1,
            epoch: Epoch::new(1, VoterId::from_bytes([1; 16])),
            producer: ProducerId::from_bytes([producer; 16]),
            producer_epoch: ProducerEpoch::new(0),
            base_producer_seq: ProducerSeq::new(1),
            ts_ms: 0,
            body_len: 0,
            body_crc: 0,
            link: Link::from_bytes([0; 16]),
        }
    }

    #[test]
    fn producers_that_a_cut_off_batch_forgot_are_known_again() {
        let mut table = ProducerTable::new(Numbers::Contiguous, 4);
        table.apply(&header(BatchKind::Data, 1, 1), None);
        table.apply(&header(BatchKind::Data, 2, 2), None);
        let before = table.producers.clone();
        let expire = Control::ProducerExpire {
            producers: table.longest_quiet(1),
        };
        table.apply(&header(BatchKind::Noop, 0, 3), Some(&expire));
        assert_eq!(table.len(), 1);
        table.rollback(Seq::new(2));
        assert_eq!(table.producers, before);
    }
}
