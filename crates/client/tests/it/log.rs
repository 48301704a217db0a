//! One channel of the small mesh: its log, and which producer seqs are in it.

use std::collections::BTreeMap;

use tetrarch_wire::{
    Batch, Epoch, Link, LogPosition, ProducerEpoch, ProducerId, ProducerSeq, Seq, VoterId,
    batch::{BatchDraft, Control},
    frame::{AppendedRun, Produce, ProduceOutcome},
};

#[derive(Default)]
struct Known {
    epoch: ProducerEpoch,
    /// Seq of each event, by producer seq.
    events: BTreeMap<u64, Seq>,
}

pub(crate) struct Log {
    pub(crate) batches: Vec<Batch>,
    pub(crate) epoch: Epoch,
    pub(crate) start: Seq,
    producers: BTreeMap<ProducerId, Known>,
    genesis: &'static [u8],
}

impl Log {
    pub(crate) fn new(genesis: &'static [u8]) -> Self {
        Self {
            batches: Vec::new(),
            epoch: Epoch::new(1, VoterId::from_bytes([1; 16])),
            start: Seq::FIRST,
            producers: BTreeMap::new(),
            genesis,
        }
    }

    pub(crate) fn end(&self) -> LogPosition {
        let origin = LogPosition::origin(Link::genesis(self.genesis));
        self.batches.last().map_or(origin, Batch::position)
    }

    /// A new leader begins its epoch with a control batch.
    pub(crate) fn elect(&mut self) {
        self.epoch.n += 1;
        let start = BatchDraft::control(&Control::Noop { count: 1 });
        self.batches.push(start.seal(&self.end(), self.epoch, 0));
    }

    pub(crate) fn payloads(&self) -> Vec<String> {
        let events = self.batches.iter().flat_map(|b| b.events().unwrap().iter());
        events
            .map(|event| String::from_utf8(event.payload.to_vec()).unwrap())
            .collect()
    }

    pub(crate) fn produce(&mut self, produce: &Produce) -> ProduceOutcome {
        let known = self.producers.entry(produce.producer).or_default();
        if produce.producer_epoch < known.epoch {
            return ProduceOutcome::Fenced {
                current: known.epoch,
            };
        }
        if produce.producer_epoch > known.epoch {
            *known = Known {
                epoch: produce.producer_epoch,
                events: BTreeMap::new(),
            };
        }
        let expected = known.events.last_key_value().map_or(1, |(seq, _)| seq + 1);
        let base = produce.base_producer_seq.get();
        if base > expected {
            return ProduceOutcome::OutOfOrder {
                expected: ProducerSeq::new(expected),
            };
        }
        let mut runs: Vec<AppendedRun> = Vec::new();
        let end = base + u64::from(produce.events.count());
        for seq in base..expected.min(end) {
            let first = known.events[&seq];
            runs.push(AppendedRun {
                first,
                count: 1,
                duplicate: true,
            });
        }
        if expected < end {
            runs.push(self.append(produce, expected));
        }
        ProduceOutcome::Appended {
            epoch: self.epoch,
            runs,
            link: self.end().link,
            copies: 2,
            degraded: false,
        }
    }

    fn append(&mut self, produce: &Produce, expected: u64) -> AppendedRun {
        let base = produce.base_producer_seq.get();
        let skip = u32::try_from(expected - base).unwrap();
        let (_, fresh) = produce.events.clone().split_at(skip);
        let count = fresh.count();
        let draft = BatchDraft::data(
            produce.producer,
            produce.producer_epoch,
            ProducerSeq::new(expected),
            fresh,
        );
        let batch = draft.seal(&self.end(), self.epoch, 1_000);
        let known = self.producers.get_mut(&produce.producer).unwrap();
        for index in 0..u64::from(count) {
            known
                .events
                .insert(expected + index, batch.base_seq().plus(index));
        }
        let first = batch.base_seq();
        self.batches.push(batch);
        AppendedRun {
            first,
            count,
            duplicate: false,
        }
    }

    /// The batches from the one that holds `from` on.
    pub(crate) fn read(&self, from: Seq) -> Vec<Batch> {
        let from = from.max(self.start);
        let wanted = self.batches.iter().filter(|b| b.last_seq() >= from);
        wanted.cloned().collect()
    }
}
