//! The header of a segment file: whose it is and what it continues. Reading does not need it; it
//! lets `verify` and a person with a hex dump tell files apart.
//!
//! ```text
//! offset 0         4       8          24          56      64        72          88        104   124
//!        magic u32│ver u32│store [16]│channel[32]│seq u64│epoch u64│leader [16]│link [16]│0 [20]│crc u32
//! ```

use bytes::{Buf, BufMut};
use tetrarch_wire::checksum::crc32c;
use tetrarch_wire::{ChannelUid, Epoch, Link, LogPosition, Seq, StoreId, VoterId};

const MAGIC: u32 = u32::from_le_bytes(*b"TTSG");
const VERSION: u32 = 1;
const CRC_AT: usize = SegmentHeader::LEN - 4;

/// A segment's header, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) store: StoreId,
    pub(crate) channel: ChannelUid,
    pub(crate) previous: LogPosition,
}

impl SegmentHeader {
    /// Bytes of an encoded header.
    pub(crate) const LEN: usize = 128;

    pub(crate) fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let mut fields = &mut bytes[..];
        fields.put_u32_le(MAGIC);
        fields.put_u32_le(VERSION);
        fields.put_slice(self.store.as_bytes());
        fields.put_slice(self.channel.as_bytes());
        fields.put_u64_le(self.previous.seq.get());
        fields.put_u64_le(self.previous.epoch.n);
        fields.put_slice(self.previous.epoch.leader.as_bytes());
        fields.put_slice(self.previous.link.as_bytes());
        let crc = crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are not an intact header.
    pub(crate) fn decode(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let mut fields = &bytes[..];
        if fields.get_u32_le() != MAGIC || fields.get_u32_le() != VERSION {
            return None;
        }
        let store = StoreId::from_bytes(take(&mut fields));
        let channel = ChannelUid::from_bytes(take(&mut fields));
        let seq = Seq::new(fields.get_u64_le());
        let n = fields.get_u64_le();
        let leader = VoterId::from_bytes(take(&mut fields));
        let link = Link::from_bytes(take(&mut fields));
        let crc = (&bytes[CRC_AT..]).get_u32_le();
        (crc == crc32c(&bytes[..CRC_AT])).then_some(Self {
            store,
            channel,
            previous: LogPosition {
                seq,
                epoch: Epoch::new(n, leader),
                link,
            },
        })
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

    #[test]
    fn a_header_reads_back_and_any_flipped_bit_is_noticed() {
        let header = SegmentHeader {
            store: StoreId::from_bytes([1; 16]),
            channel: ChannelUid::from_bytes([2; 32]),
            previous: LogPosition {
                seq: Seq::new(9),
                epoch: Epoch::new(4, VoterId::from_bytes([3; 16])),
                link: Link::from_bytes([4; 16]),
            },
        };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Some(header));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&damaged), None, "bit {bit}");
        }
    }
}
