//! How far a subscription has come. Every batch must continue the one before it: by its seq, and
//! by the hash link over everything up to it, so that a node with another history is noticed at
//! its first batch.

use tetrarch_wire::{Batch, LogPosition, Seq, frame::StartFrom};

use crate::{Result, fetch::EventBatch};

/// Why a batch is not the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Seqs were left out.
    Gap {
        /// The seq that comes next.
        wanted: Seq,
        /// The first seq of the batch.
        found: Seq,
    },
    /// It belongs to another history.
    Diverged {
        /// The first seq that does not continue.
        at: Seq,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    from: StartFrom,
    next: Option<Seq>,
    last: Option<LogPosition>,
}

impl Cursor {
    pub(super) const fn new(from: StartFrom) -> Self {
        let (next, last) = match from {
            StartFrom::Start | StartFrom::Now => (None, None),
            // Seqs begin at 1.
            StartFrom::Seq(Seq::ZERO) => (Some(Seq::FIRST), None),
            StartFrom::Seq(seq) => (Some(seq), None),
            StartFrom::After(position) => (Some(position.seq.next()), Some(position)),
        };
        Self { from, next, last }
    }

    /// Where to go on reading.
    pub(super) const fn start(&self) -> StartFrom {
        match self.next {
            Some(next) => StartFrom::Seq(next),
            None => self.from,
        }
    }

    /// Whether "now" has not been turned into a seq yet.
    pub(super) const fn awaits_now(&self) -> bool {
        matches!((self.from, self.next), (StartFrom::Now, None))
    }

    /// The seq that comes next, once it is known.
    pub(super) const fn next(&self) -> Option<Seq> {
        self.next
    }

    /// The end of what was read.
    pub(super) const fn last(&self) -> Option<LogPosition> {
        self.last
    }

    /// "Now" is directly after this seq.
    pub(super) const fn set_now(&mut self, commit: Seq) {
        self.next = Some(commit.next());
    }

    /// Whether a batch comes next. Afterwards, [`Self::advance`].
    pub(super) fn check(&self, batch: &Batch) -> std::result::Result<(), Misfit> {
        let Some(wanted) = self.next else {
            return Ok(());
        };
        let found = batch.base_seq();
        if found > wanted {
            return Err(Misfit::Gap { wanted, found });
        }
        match &self.last {
            Some(last) if batch.last_seq() >= wanted && !batch.follows(last) => {
                Err(Misfit::Diverged { at: wanted })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Moves past a batch; returns what of it has not been seen, if it holds events at all.
    pub(super) fn advance(&mut self, batch: Batch) -> Result<Option<EventBatch>> {
        let wanted = self.next.unwrap_or(Seq::ZERO);
        if batch.last_seq() < wanted {
            return Ok(None);
        }
        let position = batch.position();
        let unseen = EventBatch::new(batch, wanted)?;
        self.next = Some(position.seq.next());
        self.last = Some(position);
        Ok(unseen)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tetrarch_wire::{
        Epoch, Event, Link, ProducerEpoch, ProducerId, ProducerSeq, VoterId,
        batch::{BatchDraft, Control, EventBlock},
    };

    use super::*;

    fn origin() -> LogPosition {
        LogPosition::origin(Link::genesis(b"test"))
    }

    fn batch(after: &LogPosition, count: u8, salt: u8) -> Batch {
        let mut events = EventBlock::builder();
        for index in 0..count {
            events
                .push(&Event::new(Bytes::from(vec![index, salt])))
                .unwrap();
        }
        let events = events.finish();
        let producer = ProducerId::from_bytes([1; 16]);
        BatchDraft::data(
            producer,
            ProducerEpoch::default(),
            ProducerSeq::new(1),
            events,
        )
        .seal(after, Epoch::new(1, VoterId::NONE), 0)
    }

    #[test]
    fn a_read_from_inside_a_batch_sees_only_what_it_asked_for() {
        let mut cursor = Cursor::new(StartFrom::Seq(Seq::new(3)));
        let first = batch(&origin(), 4, 0);
        cursor.check(&first).unwrap();
        let seen = cursor.advance(first).unwrap().unwrap();
        assert_eq!(
            (seen.first_seq(), seen.last_seq()),
            (Seq::new(3), Seq::new(4))
        );
        assert_eq!(seen.count(), 2);
        let seqs: Vec<u64> = seen.iter().map(|event| event.seq.get()).collect();
        assert_eq!(seqs, [3, 4]);
        assert_eq!(cursor.start(), StartFrom::Seq(Seq::new(5)));
    }

    #[test]
    fn repeated_batches_are_dropped_and_control_batches_are_gaps() {
        let mut cursor = Cursor::new(StartFrom::Start);
        let first = batch(&origin(), 2, 0);
        let noop = BatchDraft::control(&Control::Noop { count: 3 }).seal(
            &first.position(),
            Epoch::new(1, VoterId::NONE),
            0,
        );
        let third = batch(&noop.position(), 1, 0);
        assert!(cursor.advance(first.clone()).unwrap().is_some());
        cursor.check(&first).unwrap();
        assert!(cursor.advance(first).unwrap().is_none());
        cursor.check(&noop).unwrap();
        assert!(cursor.advance(noop).unwrap().is_none());
        cursor.check(&third).unwrap();
        assert_eq!(
            cursor.advance(third).unwrap().unwrap().first_seq(),
            Seq::new(6)
        );
    }

    #[test]
    fn a_gap_and_another_history_are_told_apart() {
        let mut cursor = Cursor::new(StartFrom::Start);
        let first = batch(&origin(), 2, 0);
        let other = batch(&origin(), 2, 9);
        let second = batch(&first.position(), 1, 0);
        let third = batch(&second.position(), 1, 0);
        let foreign = batch(&other.position(), 1, 0);
        cursor.advance(first).unwrap();
        let (wanted, found) = (Seq::new(3), Seq::new(4));
        assert_eq!(cursor.check(&third), Err(Misfit::Gap { wanted, found }));
        assert_eq!(cursor.check(&foreign), Err(Misfit::Diverged { at: wanted }));
        assert_eq!(cursor.check(&second), Ok(()));
    }
}
