//! What a fork's file says about itself, so that a start need not read the batches.
//!
//! ```text
//! offset 0         4       8           40            88           136         144        152
//!        magic u32│ver u32│channel [32]│base position│end position│events u64│bytes u64│epochs u32
//! offset 156           160      188
//!        epochs crc u32│0 [28] │crc u32
//! ```
//!
//! A position, and likewise the beginning of an epoch, is
//!
//! ```text
//! offset 0       8         16          32
//!        seq u64│epoch u64│leader [16]│link [16]
//! ```

use bytes::{Buf, BufMut};
use tetrarch_wire::checksum::crc32c;
use tetrarch_wire::{ChannelUid, Epoch, EpochStart, Link, LogPosition, Seq, VoterId, limits};

const MAGIC: u32 = u32::from_le_bytes(*b"TTFK");
const VERSION: u32 = 1;
const CRC_AT: usize = Description::LEN - 4;

/// A fork's description, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) channel: ChannelUid,
    pub(crate) base: LogPosition,
    pub(crate) end: LogPosition,
    pub(crate) events: u64,
    /// Of the batches. They begin right after the description.
    pub(crate) bytes: u64,
    /// How many beginnings of epochs follow the batches; at most [`limits::MAX_FORK_EPOCHS`].
    pub(crate) epochs: u32,
    pub(crate) epochs_crc: u32,
}

impl Description {
    /// Bytes of an encoded description.
    pub(crate) const LEN: usize = 192;
    /// Bytes of the beginning of an epoch.
    pub(crate) const EPOCH: usize = 48;

    pub(crate) fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let mut fields = &mut bytes[..];
        fields.put_u32_le(MAGIC);
        fields.put_u32_le(VERSION);
        fields.put_slice(self.channel.as_bytes());
        put_position(&mut fields, self.base);
        put_position(&mut fields, self.end);
        fields.put_u64_le(self.events);
        fields.put_u64_le(self.bytes);
        fields.put_u32_le(self.epochs);
        fields.put_u32_le(self.epochs_crc);
        let crc = crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are not an intact description.
    pub(crate) fn decode(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let crc = (&bytes[CRC_AT..]).get_u32_le();
        let mut fields = &bytes[..CRC_AT];
        if crc != crc32c(fields) || fields.get_u32_le() != MAGIC || fields.get_u32_le() != VERSION {
            return None;
        }
        let description = Self {
            channel: ChannelUid::from_bytes(take(&mut fields)),
            base: take_position(&mut fields),
            end: take_position(&mut fields),
            events: fields.get_u64_le(),
            bytes: fields.get_u64_le(),
            epochs: fields.get_u32_le(),
            epochs_crc: fields.get_u32_le(),
        };
        description.is_possible().then_some(description)
    }

    fn is_possible(&self) -> bool {
        let seqs = self.end.seq.since(self.base.seq);
        seqs > 0
            && self.events <= seqs
            && self.epochs as usize <= limits::MAX_FORK_EPOCHS
            && self.bytes.checked_add(Self::LEN as u64).is_some()
    }

    /// Where the batches end and the epochs begin.
    pub(crate) const fn batches_end(&self) -> u64 {
        Self::LEN as u64 + self.bytes
    }
}

/// The beginnings of epochs as they follow the batches.
pub(super) fn encode_epochs(epochs: &[EpochStart]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(epochs.len() * Description::EPOCH);
    for row in epochs {
        let position = LogPosition {
            seq: row.start,
            epoch: row.epoch,
            link: row.link,
        };
        put_position(&mut bytes, position);
    }
    bytes
}

/// Reads them back. What is left of an incomplete one is ignored.
pub(super) fn decode_epochs(bytes: &[u8]) -> Vec<EpochStart> {
    let rows = bytes.chunks_exact(Description::EPOCH);
    rows.map(|mut row| {
        let LogPosition { seq, epoch, link } = take_position(&mut row);
        EpochStart {
            epoch,
            start: seq,
            link,
        }
    })
    .collect()
}

fn put_position(fields: &mut impl BufMut, position: LogPosition) {
    fields.put_u64_le(position.seq.get());
    fields.put_u64_le(position.epoch.n);
    fields.put_slice(position.epoch.leader.as_bytes());
    fields.put_slice(position.link.as_bytes());
}

fn take_position(fields: &mut &[u8]) -> LogPosition {
    let seq = Seq::new(fields.get_u64_le());
    let n = fields.get_u64_le();
    let leader = VoterId::from_bytes(take(fields));
    LogPosition {
        seq,
        epoch: Epoch::new(n, leader),
        link: Link::from_bytes(take(fields)),
    }
}

fn take<const N: usize>(fields: &mut &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    fields.copy_to_slice(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(seq: u64) -> LogPosition {
        LogPosition {
            seq: Seq::new(seq),
            epoch: Epoch::new(seq + 1, VoterId::from_bytes([3; 16])),
            link: Link::from_bytes([seq.to_le_bytes()[0]; 16]),
        }
    }

    fn description() -> Description {
        Description {
            channel: ChannelUid::from_bytes([2; 32]),
            base: position(9),
            end: position(14),
            events: 4,
            bytes: 5_000,
            epochs: 2,
            epochs_crc: 77,
        }
    }

    #[test]
    fn a_description_reads_back_and_any_flipped_bit_is_noticed() {
        let bytes = description().encode();
        assert_eq!(Description::decode(&bytes), Some(description()));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Description::decode(&damaged), None, "bit {bit}");
        }
    }

    #[test]
    fn what_cannot_be_is_not_believed_though_its_checksum_is_right() {
        let possible = description();
        let impossible = [
            Description {
                end: possible.base,
                ..possible
            },
            Description {
                events: 6,
                ..possible
            },
            Description {
                bytes: u64::MAX,
                ..possible
            },
            Description {
                epochs: 257,
                ..possible
            },
        ];
        for description in impossible {
            assert_eq!(Description::decode(&description.encode()), None);
        }
    }

    #[test]
    fn epochs_read_back() {
        let epochs = [4, 7].map(|seq| EpochStart {
            epoch: Epoch::new(seq, VoterId::from_bytes([1; 16])),
            start: Seq::new(seq),
            link: Link::from_bytes([9; 16]),
        });
        let bytes = encode_epochs(&epochs);
        assert_eq!(bytes.len(), 2 * Description::EPOCH);
        assert_eq!(decode_epochs(&bytes), epochs);
    }
}
