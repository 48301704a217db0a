//! The table itself, and the record of how to take back what uncommitted batches did to it.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use tetrarch_wire::{
    BatchHeader, BatchKind, Link, ProducerEpoch, ProducerId, ProducerSeq, Seq, batch::Control,
    limits,
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
}

/// The newest incarnation of one producer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Producer {
    pub(crate) epoch: ProducerEpoch,
    /// The number that comes next.
    pub(crate) next: ProducerSeq,
    /// Its last batches, oldest first.
    pub(crate) runs: VecDeque<Run>,
}

impl Producer {
    /// Whether batches of a log can have made it: each continues the one before, further on in the
    /// log, and the last one ends where the next begins.
    pub(super) fn is_of_a_log(&self) -> bool {
        let (mut next, mut free) = (None, Seq::ZERO);
        for run in &self.runs {
            let is_a_batch = (1..=limits::MAX_BATCH_EVENTS).contains(&run.count);
            let continues = next.is_none_or(|next| next == run.base);
            if !is_a_batch || !continues || run.first < free {
                return false;
            }
            next = Some(run.end());
            free = run.first.plus(run.count.into());
        }
        next == Some(self.next)
    }

    fn last_seq(&self) -> Seq {
        self.runs.back().map_or(Seq::ZERO, |run| run.first)
    }
}

/// How to take back what one batch did.
#[derive(Clone, Debug)]
enum Undo {
    Extended {
        producer: ProducerId,
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

/// All producers of a channel.
#[derive(Clone, Debug)]
pub(crate) struct ProducerTable {
    pub(super) producers: BTreeMap<ProducerId, Producer>,
    undo: VecDeque<(Seq, Undo)>,
    window: usize,
}

impl ProducerTable {
    pub(crate) fn new(window: usize) -> Self {
        Self::with(BTreeMap::new(), window)
    }

    pub(super) fn with(producers: BTreeMap<ProducerId, Producer>, window: usize) -> Self {
        Self {
            producers,
            undo: VecDeque::new(),
            window,
        }
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
            let undo = self.apply_data(header);
            self.undo.push_back((header.last_seq(), undo));
        } else if let Some(Control::ProducerExpire { producers }) = control {
            let before = producers
                .iter()
                .filter_map(|id| Some((*id, self.producers.remove(id)?)))
                .collect();
            self.undo
                .push_back((header.last_seq(), Undo::Expired { before }));
        }
    }

    fn apply_data(&mut self, header: &BatchHeader) -> Undo {
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
                Undo::Extended {
                    producer,
                    forgotten,
                }
            }
            Some(_) | None => {
                let opened = Producer {
                    epoch: header.producer_epoch,
                    next: run.end(),
                    runs: VecDeque::from([run]),
                };
                let before = self.producers.insert(producer, opened);
                Undo::Opened { producer, before }
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
        let mut table = ProducerTable::new(4);
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
