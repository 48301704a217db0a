//! The batch: the unit that is written, replicated, truncated and hash-linked (protocol §3.2).
//!
//! A batch is framed once, by the leader, and then copied byte for byte to every WAL, segment,
//! socket and subscriber. [`Batch`] therefore keeps its bytes beside the parsed header, as slices
//! of the buffer they arrived in.
//!
//! ```text
//! offset  0        4     5      6      8          16      20        28
//!         magic u32│ver u8│kind u8│flags u16│base_seq u64│count u32│epoch n u64│leader [16]
//! offset 44        60         64            72        80          84
//!         pid [16] │pepoch u32│base_pseq u64│ts_ms u64│body_len u32│body_crc u32
//! offset 88        104           108
//!         link [16]│header_crc u32│body: origin extension by flag, then the events
//! ```

mod control;
mod event;
mod event_block;
mod header;
mod kind;

use bytes::{Buf, Bytes, BytesMut};

pub use control::Control;
pub use event::Event;
pub use event_block::{EventBlock, EventBlockBuilder, Events};
pub use header::{BatchHeader, Origin};
pub use kind::BatchKind;

use crate::{
    DecodeError, Epoch, Link, LogPosition, ProducerEpoch, ProducerId, ProducerSeq, Seq, limits,
};

/// What a leader is about to append: everything of a batch but its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchDraft {
    kind: BatchKind,
    has_origin: bool,
    producer: ProducerId,
    producer_epoch: ProducerEpoch,
    base_producer_seq: ProducerSeq,
    count: u32,
    body: Bytes,
    body_crc: u32,
}

impl BatchDraft {
    /// Events of one producer. `base_producer_seq` numbers the first of them.
    #[must_use]
    pub fn data(
        producer: ProducerId,
        producer_epoch: ProducerEpoch,
        base_producer_seq: ProducerSeq,
        events: EventBlock,
    ) -> Self {
        Self {
            kind: BatchKind::Data,
            has_origin: false,
            producer,
            producer_epoch,
            base_producer_seq,
            count: events.count(),
            body_crc: events.crc(),
            body: events.into_bytes(),
        }
    }

    /// A control batch.
    #[must_use]
    pub fn control(control: &Control) -> Self {
        let body = control.encode_body();
        Self {
            kind: control.kind(),
            has_origin: false,
            producer: ProducerId::ANONYMOUS,
            producer_epoch: ProducerEpoch::default(),
            base_producer_seq: ProducerSeq::ZERO,
            count: control.count(),
            body_crc: crate::checksum::crc32c(&body),
            body,
        }
    }

    /// These events were written before, there, and are republished.
    ///
    /// # Errors
    /// If the batch grows beyond what one may hold.
    pub fn with_origin(mut self, origin: Origin) -> Result<Self, DecodeError> {
        let mut body = BytesMut::with_capacity(Origin::LEN + self.body.len());
        origin.encode(&mut body);
        body.extend_from_slice(&self.body);
        let size = BatchHeader::LEN + body.len();
        if size > limits::MAX_BATCH_BYTES {
            return Err(DecodeError::TooLarge {
                what: "republished batch",
                size: size as u64,
                limit: limits::MAX_BATCH_BYTES as u64,
            });
        }
        self.has_origin = true;
        self.body_crc = crate::checksum::crc32c(&body);
        self.body = body.freeze();
        Ok(self)
    }

    /// How many seqs the batch will take.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the batch once sealed.
    #[must_use]
    pub fn size(&self) -> usize {
        BatchHeader::LEN + self.body.len()
    }

    /// Gives the batch its place: directly after `previous`, in `epoch`, at the informational time
    /// `ts_ms`. This is the only place where a batch is framed.
    #[must_use]
    pub fn seal(self, previous: &LogPosition, epoch: Epoch, ts_ms: u64) -> Batch {
        let mut header = BatchHeader {
            kind: self.kind,
            has_origin: self.has_origin,
            base_seq: previous.seq.next(),
            count: self.count,
            epoch,
            producer: self.producer,
            producer_epoch: self.producer_epoch,
            base_producer_seq: self.base_producer_seq,
            ts_ms,
            // A draft's body is bounded by `limits::MAX_BATCH_BYTES`.
            body_len: u32::try_from(self.body.len()).expect("a batch body is bounded"),
            body_crc: self.body_crc,
            link: previous.link,
        };
        let head = header.seal(previous.link);
        Batch {
            header,
            head,
            body: self.body,
        }
    }
}

/// One batch: its parsed header and its exact bytes. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    header: BatchHeader,
    head: Bytes,
    body: Bytes,
}

impl Batch {
    /// Takes one batch off the front of `input`, checking both checksums. The batch's bytes are
    /// slices of `input`. Whether it continues a given log is [`Self::follows`]'s question.
    ///
    /// # Errors
    /// If the bytes at the front are not one intact batch; `input` is then unchanged.
    pub fn decode(input: &mut Bytes) -> Result<Self, DecodeError> {
        let header = BatchHeader::decode(input)?;
        let body_len = header.body_len as usize;
        let available = input.len() - BatchHeader::LEN;
        if available < body_len {
            return Err(DecodeError::Truncated {
                what: "batch body",
                needed: body_len,
                available,
            });
        }
        let body = input.slice(BatchHeader::LEN..BatchHeader::LEN + body_len);
        let found = crate::checksum::crc32c(&body);
        if found != header.body_crc {
            return Err(DecodeError::Checksum {
                what: "batch body",
                found,
                expected: header.body_crc,
            });
        }
        let head = input.slice(..BatchHeader::LEN);
        input.advance(BatchHeader::LEN + body_len);
        Ok(Self { header, head, body })
    }

    /// Reads exactly one batch.
    ///
    /// # Errors
    /// As [`Self::decode`], and if bytes follow the batch.
    pub fn decode_exact(mut bytes: Bytes) -> Result<Self, DecodeError> {
        let batch = Self::decode(&mut bytes)?;
        if bytes.is_empty() {
            Ok(batch)
        } else {
            Err(DecodeError::TrailingBytes {
                what: "batch",
                count: bytes.len(),
            })
        }
    }

    /// The same batch with bytes of its own. One that was read or received keeps all that came with it in
    /// memory, which is more than a batch that is kept for long should.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            header: self.header,
            head: Bytes::copy_from_slice(&self.head),
            body: Bytes::copy_from_slice(&self.body),
        }
    }

    /// Whether this batch continues a log that ends at `previous`: next seq, and a link that
    /// hashes that log's.
    #[must_use]
    pub fn follows(&self, previous: &LogPosition) -> bool {
        self.header.base_seq == previous.seq.next()
            && self.header.epoch >= previous.epoch
            && previous.link.extend(&self.head[..BatchHeader::LINKED_LEN]) == self.header.link
    }

    /// The parsed header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> BatchKind {
        self.header.kind
    }

    /// Seq of the first event.
    #[must_use]
    pub const fn base_seq(&self) -> Seq {
        self.header.base_seq
    }

    /// Seq of the last event.
    #[must_use]
    pub const fn last_seq(&self) -> Seq {
        self.header.last_seq()
    }

    /// The epoch it was written in.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.header.epoch
    }

    /// The link over the log up to and including this batch.
    #[must_use]
    pub const fn link(&self) -> Link {
        self.header.link
    }

    /// The position of the log that ends with this batch.
    #[must_use]
    pub const fn position(&self) -> LogPosition {
        LogPosition {
            seq: self.last_seq(),
            epoch: self.header.epoch,
            link: self.header.link,
        }
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub fn size(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// The exact bytes, in order; written one after the other they are the batch.
    #[must_use]
    pub fn chunks(&self) -> [&Bytes; 2] {
        [&self.head, &self.body]
    }

    /// The events of a data batch; none for a control batch.
    ///
    /// # Errors
    /// If the body does not hold exactly the events that the header announces.
    pub fn events(&self) -> Result<EventBlock, DecodeError> {
        if self.header.kind != BatchKind::Data {
            return Ok(EventBlock::EMPTY);
        }
        let skip = if self.header.has_origin {
            Origin::LEN
        } else {
            0
        };
        EventBlock::check(self.body.slice(skip..), self.header.count)
    }

    /// Where a republished batch was first acknowledged.
    ///
    /// # Errors
    /// If the header announces an origin that the body does not hold.
    pub fn origin(&self) -> Result<Option<Origin>, DecodeError> {
        if self.header.has_origin {
            Origin::decode(&self.body).map(Some)
        } else {
            Ok(None)
        }
    }

    /// What a control batch says; `None` for a data batch.
    ///
    /// # Errors
    /// If the body is not what the kind promises.
    pub fn control(&self) -> Result<Option<Control>, DecodeError> {
        Control::decode(self.header.kind, self.header.count, &self.body)
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Batch({:?} {}..={} {} {:?} {} B)",
            self.header.kind,
            self.base_seq(),
            self.last_seq(),
            self.header.epoch,
            self.header.link,
            self.size()
        )
    }
}

/// Takes every batch off `input`, which must hold nothing else.
///
/// # Errors
/// The first batch that is not intact, or more than [`crate::limits::MAX_FRAME_BATCHES`] of them.
pub fn decode_all(mut input: Bytes) -> Result<Vec<Batch>, DecodeError> {
    let mut batches = Vec::new();
    while !input.is_empty() {
        if batches.len() == crate::limits::MAX_FRAME_BATCHES {
            return Err(DecodeError::TooLarge {
                what: "number of batches in a frame",
                size: batches.len() as u64 + 1,
                limit: crate::limits::MAX_FRAME_BATCHES as u64,
            });
        }
        batches.push(Batch::decode(&mut input)?);
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::VoterId;

    fn origin() -> LogPosition {
        LogPosition::origin(Link::genesis(b"test"))
    }

    fn epoch() -> Epoch {
        Epoch::new(3, VoterId::from_bytes([9; 16]))
    }

    fn block(payloads: &[&[u8]]) -> EventBlock {
        let mut builder = EventBlock::builder();
        for payload in payloads {
            builder
                .push(&Event::new(Bytes::copy_from_slice(payload)))
                .unwrap();
        }
        builder.finish()
    }

    fn sealed(payloads: &[&[u8]]) -> Batch {
        BatchDraft::data(
            ProducerId::from_bytes([5; 16]),
            ProducerEpoch::new(2),
            ProducerSeq::new(11),
            block(payloads),
        )
        .seal(&origin(), epoch(), 1_700_000_000_000)
    }

    fn bytes_of(batch: &Batch) -> Bytes {
        [&batch.head[..], &batch.body[..]].concat().into()
    }

    #[test]
    fn a_sealed_batch_reads_back_byte_for_byte() {
        let batch = sealed(&[b"one", b"two"]);
        let read = Batch::decode_exact(bytes_of(&batch)).unwrap();
        assert_eq!(read, batch);
        assert_eq!(read.base_seq(), Seq::FIRST);
        assert_eq!(read.last_seq(), Seq::new(2));
        let events: Vec<Event> = read.events().unwrap().iter().collect();
        assert_eq!(events[1].payload, "two");
    }

    #[test]
    fn the_layout_of_a_batch_is_fixed() {
        let bytes = bytes_of(&sealed(&[b"one"]));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, include_str!("golden_batch.hex").trim());
    }

    #[test]
    fn links_chain_and_a_batch_follows_only_its_own_prefix() {
        let first = sealed(&[b"one"]);
        assert!(first.follows(&origin()));
        let second =
            BatchDraft::control(&Control::Noop { count: 3 }).seal(&first.position(), epoch(), 1);
        assert!(second.follows(&first.position()));
        assert_eq!(second.last_seq(), Seq::new(4));
        let other = sealed(&[b"One"]);
        assert_eq!(other.position().seq, first.position().seq);
        assert!(!second.follows(&other.position()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let batch = sealed(&[b"one", b"two"]);
        let bytes = bytes_of(&batch);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Batch::decode_exact(damaged.into()).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_declared_body_of_four_gigabytes_is_refused_by_its_length() {
        let mut header = sealed(&[b"one"]).header;
        header.body_len = u32::MAX;
        let head = header.seal(origin().link);
        assert!(matches!(
            Batch::decode_exact(head),
            Err(DecodeError::TooLarge { .. })
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_batch_or_an_error(bytes: Vec<u8>) {
            let mut input = Bytes::from(bytes.clone());
            match Batch::decode(&mut input) {
                Ok(batch) => prop_assert_eq!(batch.size() + input.len(), bytes.len()),
                Err(_) => prop_assert_eq!(input.len(), bytes.len()),
            }
        }

        #[test]
        fn a_block_can_be_split_anywhere_and_merged_again(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..20),
            at in 0_u32..20,
        ) {
            let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            let whole = block(&slices);
            let at = at.min(whole.count());
            let (front, back) = whole.clone().split_at(at);
            prop_assert_eq!(front.count(), at);
            prop_assert_eq!(EventBlock::merge(&[front, back]), whole);
        }
    }
}
