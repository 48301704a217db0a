//! Which events a part of a log holds, exactly, whatever its length: what of a fork must not be appended a
//! second time (protocol §10).

use std::{collections::BTreeMap, ops::Range};

use tetrarch_wire::{
    Batch, BatchKind, DecodeError, Epoch, ProducerEpoch, ProducerId, batch::Origin,
};

use super::spans::Spans;

/// What makes the events of a batch those events, wherever they are: their producer's numbers, or else
/// where they were written first. The leader belongs to the epoch: two may have written at the same seq of
/// the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stream {
    Numbered(ProducerId, ProducerEpoch),
    Placed(Epoch),
}

/// The events of a part of a log.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled(BTreeMap<Stream, Spans>);

impl Settled {
    /// They are in the log.
    ///
    /// # Errors
    /// If the batch announces an origin that it does not hold.
    pub(super) fn note(&mut self, batch: &Batch) -> Result<(), DecodeError> {
        if batch.kind() == BatchKind::Data {
            let (stream, from, to) = place(batch)?;
            self.0.entry(stream).or_default().insert(from, to);
        }
        Ok(())
    }

    /// Which events of a batch are not in the log, counted from its first.
    ///
    /// # Errors
    /// As [`Self::note`].
    pub(super) fn missing(&self, batch: &Batch) -> Result<Vec<Range<u32>>, DecodeError> {
        if batch.kind() != BatchKind::Data {
            return Ok(Vec::new());
        }
        let (stream, from, to) = place(batch)?;
        let missing = match self.0.get(&stream) {
            Some(known) => known.missing(from, to),
            None => vec![(from, to)],
        };
        let index = |number: u64| u32::try_from(number - from).unwrap_or(u32::MAX);
        let ranges = missing.into_iter();
        Ok(ranges.map(|(from, to)| index(from)..index(to)).collect())
    }
}

/// Where events of a batch were written first: here, if it does not say anything else.
pub(super) fn origin_of(batch: &Batch) -> Result<Origin, DecodeError> {
    Ok(batch.origin()?.unwrap_or(Origin {
        epoch: batch.epoch(),
        base_seq: batch.base_seq(),
    }))
}

fn place(batch: &Batch) -> Result<(Stream, u64, u64), DecodeError> {
    let header = batch.header();
    let (stream, from) = if header.producer.is_idempotent() {
        let stream = Stream::Numbered(header.producer, header.producer_epoch);
        (stream, header.base_producer_seq.get())
    } else {
        let origin = origin_of(batch)?;
        (Stream::Placed(origin.epoch), origin.base_seq.get())
    };
    Ok((stream, from, from + u64::from(header.count)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tetrarch_wire::{
        Event, Link, LogPosition, ProducerSeq, Seq, VoterId,
        batch::{BatchDraft, EventBlock},
    };

    use super::*;

    fn events(count: u32) -> EventBlock {
        let mut events = EventBlock::builder();
        for _ in 0..count {
            events
                .push(&Event::new(Bytes::from_static(b"event")))
                .unwrap();
        }
        events.finish()
    }

    fn batch(producer: ProducerId, base: u64, count: u32) -> BatchDraft {
        BatchDraft::data(
            producer,
            ProducerEpoch::new(0),
            ProducerSeq::new(base),
            events(count),
        )
    }

    fn sealed(draft: BatchDraft, after: u64, leader: u8) -> Batch {
        let epoch = Epoch::new(4, VoterId::from_bytes([leader; 16]));
        let previous = LogPosition {
            seq: Seq::new(after),
            epoch,
            link: Link::genesis(b"test"),
        };
        draft.seal(&previous, epoch, 0)
    }

    #[test]
    fn numbered_events_are_known_by_their_numbers_wherever_they_are() {
        let producer = ProducerId::from_bytes([7; 16]);
        let of = |base, count| batch(producer, base, count);
        let mut settled = Settled::default();
        settled.note(&sealed(of(3, 2), 100, 1)).unwrap();
        settled.note(&sealed(of(9, 1), 102, 1)).unwrap();
        let asked = sealed(of(1, 10), 20, 2);
        assert_eq!(settled.missing(&asked).unwrap(), [0..2, 4..8, 9..10]);
        assert_eq!(settled.missing(&sealed(of(3, 2), 20, 2)).unwrap(), []);
    }

    #[test]
    fn others_are_known_by_where_they_were_written_first() {
        let of = |count| batch(ProducerId::ANONYMOUS, 0, count);
        let fork = sealed(of(3), 20, 2);
        let mut settled = Settled::default();
        settled.note(&sealed(of(3), 20, 1)).unwrap();
        let missing = settled.missing(&fork).unwrap();
        let is_all = matches!(&missing[..], [one] if *one == (0..3));
        assert!(is_all, "another leader's: {missing:?}");
        let origin = Origin {
            epoch: fork.epoch(),
            base_seq: Seq::new(22),
        };
        let republished = sealed(of(1).with_origin(origin).unwrap(), 50, 1);
        settled.note(&republished).unwrap();
        assert_eq!(settled.missing(&fork).unwrap(), [0..1, 2..3]);
        assert_eq!(settled.missing(&republished).unwrap(), []);
    }
}
