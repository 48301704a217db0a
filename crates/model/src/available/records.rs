//! What a log or a fork says of events, in the words of the decisions.

use tetrarch_wire::{Epoch, ProducerEpoch, ProducerId, ProducerSeq, Seq, VoterId};

use super::{
    Entry, Fork, Log, Mutant, Pair, State,
    decide::{EventKey, Record},
    step::Rules,
};

impl Rules<'_> {
    /// What a log says of events after the position `after`.
    pub(super) fn records(
        &self,
        state: &State,
        log: Log,
        after: u8,
    ) -> impl Iterator<Item = (Record, Entry)> {
        (after + 1..=log.len()).filter_map(move |seq| {
            let entry = log.get(seq)?;
            let key = self.key(state, entry, seq)?;
            let record = if entry.is_declaration() {
                Record::DeclaredLost(key)
            } else {
                Record::Event(key)
            };
            Some((record, entry))
        })
    }

    /// What a fork says that is to be found again in the main log.
    pub(super) fn records_of(
        &self,
        state: &State,
        fork: &Fork,
    ) -> impl Iterator<Item = (Record, Entry)> {
        let left = self.is(Mutant::LossNotCarriedOver);
        self.records(state, fork.log, fork.base)
            .filter(move |(_, entry)| !left || !entry.is_declaration())
    }

    /// What makes the event that event. One without a producer carries the place where it was
    /// written first.
    fn key(&self, state: &State, entry: Entry, seq: u8) -> Option<EventKey> {
        let id = entry.id()?;
        if id <= self.bounds.numbered {
            return Some(EventKey::Numbered {
                producer: ProducerId::from_bytes([1; 16]),
                epoch: ProducerEpoch::new(1),
                number: ProducerSeq::new(u64::from(id)),
            });
        }
        let (epoch, seq) = if self.is(Mutant::OriginNotCarried) {
            (entry.epoch(), seq)
        } else {
            state.observed.places[usize::from(id)]
        };
        Some(EventKey::Placed {
            epoch: self.origin(epoch),
            seq: Seq::new(u64::from(seq)),
        })
    }

    fn origin(&self, pair: Pair) -> Epoch {
        let epoch = pair.epoch();
        if self.is(Mutant::OriginWithoutLeader) {
            Epoch::new(epoch.n, VoterId::NONE)
        } else {
            epoch
        }
    }
}
