//! The fixed-width header of a batch.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::BatchKind;
use crate::{
    DecodeError, Epoch, Link, ProducerEpoch, ProducerId, ProducerSeq, Seq, VoterId, checksum,
    limits,
};

/// "TTRB" in the order of the bytes on disk.
const MAGIC: u32 = u32::from_le_bytes(*b"TTRB");
const VERSION: u8 = 1;
const FLAG_ORIGIN: u16 = 1;

/// A batch's header, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// What the batch is for.
    pub kind: BatchKind,
    /// Whether the body begins with an [`Origin`].
    pub has_origin: bool,
    /// Seq of the first event.
    pub base_seq: Seq,
    /// How many seqs the batch takes; at least 1.
    pub count: u32,
    /// The epoch it was written in.
    pub epoch: Epoch,
    /// The producer of all of its events.
    pub producer: ProducerId,
    /// The producer's incarnation.
    pub producer_epoch: ProducerEpoch,
    /// The producer's number for the first event.
    pub base_producer_seq: ProducerSeq,
    /// When the leader framed it, in milliseconds of Unix time. Informational.
    pub ts_ms: u64,
    /// Bytes of the body.
    pub body_len: u32,
    /// CRC-32C of the body.
    pub body_crc: u32,
    /// The hash link over the log up to and including this batch.
    pub link: Link,
}

impl BatchHeader {
    /// Bytes of an encoded header.
    pub const LEN: usize = 108;
    /// How many of them the link covers: everything before the link itself.
    pub(super) const LINKED_LEN: usize = 88;
    const CRC_COVERS: usize = 104;

    /// Seq of the last event.
    #[must_use]
    pub const fn last_seq(&self) -> Seq {
        self.base_seq.plus(self.count as u64 - 1)
    }

    /// The producer's number for the last event.
    #[must_use]
    pub const fn last_producer_seq(&self) -> ProducerSeq {
        self.base_producer_seq.plus(self.count as u64 - 1)
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub const fn batch_len(&self) -> usize {
        Self::LEN + self.body_len as usize
    }

    /// Computes the link after `previous`, and encodes.
    pub(super) fn seal(&mut self, previous: Link) -> Bytes {
        let mut out = BytesMut::with_capacity(Self::LEN);
        out.put_u32_le(MAGIC);
        out.put_u8(VERSION);
        out.put_u8(self.kind as u8);
        out.put_u16_le(if self.has_origin { FLAG_ORIGIN } else { 0 });
        out.put_u64_le(self.base_seq.get());
        out.put_u32_le(self.count);
        out.put_u64_le(self.epoch.n);
        out.put_slice(self.epoch.leader.as_bytes());
        out.put_slice(self.producer.as_bytes());
        out.put_u32_le(self.producer_epoch.get());
        out.put_u64_le(self.base_producer_seq.get());
        out.put_u64_le(self.ts_ms);
        out.put_u32_le(self.body_len);
        out.put_u32_le(self.body_crc);
        self.link = previous.extend(&out);
        out.put_slice(self.link.as_bytes());
        let crc = checksum::crc32c(&out);
        out.put_u32_le(crc);
        out.freeze()
    }

    /// Reads the header at the front of `input`, which may go on after it.
    ///
    /// # Errors
    /// If the bytes are not an intact header that keeps the limits.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "batch header";
        if input.len() < Self::LEN {
            return Err(DecodeError::Truncated {
                what: WHAT,
                needed: Self::LEN,
                available: input.len(),
            });
        }
        let found = checksum::crc32c(&input[..Self::CRC_COVERS]);
        let mut fields = &input[..Self::LEN];
        let magic = fields.get_u32_le();
        if magic != MAGIC {
            return Err(DecodeError::UnknownValue {
                what: "batch magic",
                value: magic.into(),
            });
        }
        let version = fields.get_u8();
        if version != VERSION {
            return Err(DecodeError::UnknownValue {
                what: "batch version",
                value: version.into(),
            });
        }
        let kind = fields.get_u8();
        let flags = fields.get_u16_le();
        let base_seq = Seq::new(fields.get_u64_le());
        let count = fields.get_u32_le();
        let n = fields.get_u64_le();
        let leader = VoterId::from_bytes(take_16(&mut fields));
        let producer = ProducerId::from_bytes(take_16(&mut fields));
        let producer_epoch = ProducerEpoch::new(fields.get_u32_le());
        let base_producer_seq = ProducerSeq::new(fields.get_u64_le());
        let ts_ms = fields.get_u64_le();
        let body_len = fields.get_u32_le();
        let body_crc = fields.get_u32_le();
        let link = Link::from_bytes(take_16(&mut fields));
        let expected = fields.get_u32_le();
        if found != expected {
            return Err(DecodeError::Checksum {
                what: WHAT,
                found,
                expected,
            });
        }
        let header = Self {
            kind: BatchKind::try_from(kind)?,
            has_origin: flags & FLAG_ORIGIN != 0,
            base_seq,
            count,
            epoch: Epoch::new(n, leader),
            producer,
            producer_epoch,
            base_producer_seq,
            ts_ms,
            body_len,
            body_crc,
            link,
        };
        if flags & !FLAG_ORIGIN != 0 {
            return Err(DecodeError::UnknownValue {
                what: "batch flag",
                value: flags.into(),
            });
        }
        header.check()
    }

    fn check(self) -> Result<Self, DecodeError> {
        let limit = limits::MAX_BATCH_BYTES - Self::LEN;
        if self.body_len as usize > limit {
            return Err(DecodeError::TooLarge {
                what: "batch body",
                size: self.body_len.into(),
                limit: limit as u64,
            });
        }
        if self.kind == BatchKind::Data && self.count > limits::MAX_BATCH_EVENTS {
            return Err(DecodeError::TooLarge {
                what: "number of events in a batch",
                size: self.count.into(),
                limit: limits::MAX_BATCH_EVENTS.into(),
            });
        }
        let why = if self.count == 0 {
            "it takes no seq"
        } else if self.base_seq == Seq::ZERO {
            "seqs begin at 1"
        } else if self
            .base_seq
            .get()
            .checked_add(u64::from(self.count))
            .is_none()
        {
            "its seqs run past the end of all seqs"
        } else if self
            .base_producer_seq
            .get()
            .checked_add(u64::from(self.count))
            .is_none()
        {
            "its producer seqs run past the end of all seqs"
        } else if self.has_origin && self.kind != BatchKind::Data {
            "only events have an origin"
        } else {
            return Ok(self);
        };
        Err(DecodeError::Invalid {
            what: "batch header",
            why,
        })
    }
}

/// Where a republished batch was written first (protocol §10). It is carried on unchanged when an event is
/// republished a second time. The leader belongs to it: two of them may have written at the same seq of
/// the same epoch number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The epoch that it was written in.
    pub epoch: Epoch,
    /// Its first seq there.
    pub base_seq: Seq,
}

impl Origin {
    /// Bytes of an encoded origin.
    pub const LEN: usize = 32;

    pub(super) fn decode(mut body: &[u8]) -> Result<Self, DecodeError> {
        if body.len() < Self::LEN {
            return Err(DecodeError::Truncated {
                what: "batch origin",
                needed: Self::LEN,
                available: body.len(),
            });
        }
        let n = body.get_u64_le();
        let leader = VoterId::from_bytes(take_16(&mut body));
        Ok(Self {
            epoch: Epoch::new(n, leader),
            base_seq: Seq::new(body.get_u64_le()),
        })
    }

    pub(super) fn encode(self, out: &mut BytesMut) {
        out.put_u64_le(self.epoch.n);
        out.put_slice(self.epoch.leader.as_bytes());
        out.put_u64_le(self.base_seq.get());
    }
}

fn take_16(fields: &mut &[u8]) -> [u8; 16] {
    let mut id = [0; 16];
    fields.copy_to_slice(&mut id);
    id
}
