//! The header of a commit group: what tells a group of this file and this boot from everything
//! that recycled files and payloads may hold, and what tells torn from rotten (protocol §11.3).
//!
//! ```text
//! offset 0        4       8               16       24        32               40
//!        magic u32│ver u32│incarnation u64│boot u64│group u64│synced_upto u64│prev_crc u32
//! offset 44          48      52              56              60
//!        records u32│len u32│summary_len u32│payload_crc u32│header_crc u32
//! ```

use bytes::{Buf, BufMut};
use tetrarch_wire::checksum::{crc32c, crc32c_append};
use tetrarch_wire::{Boot, DecodeError, StoreId};

use crate::disk::BLOCK;

const MAGIC: u32 = u32::from_le_bytes(*b"TTRG");
const VERSION: u32 = 1;
const CRC_COVERS: usize = GroupHeader::LEN - 4;

/// The seed of every checksum in a store's WAL. A group of another store never passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WalSeed(u32);

impl WalSeed {
    pub(crate) fn of(store: StoreId) -> Self {
        Self(crc32c(store.as_bytes()))
    }

    /// The seed of the records and the summary of one group.
    pub(crate) fn of_group(self, group: u64) -> u32 {
        crc32c_append(self.0, &group.to_le_bytes())
    }
}

/// A group's header, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    /// Which use of the file it belongs to.
    pub(crate) incarnation: u64,
    /// Which start of the store wrote it.
    pub(crate) boot: Boot,
    /// Its number, never used twice.
    pub(crate) group: u64,
    /// The last group that was durable when this one was written.
    pub(crate) synced_upto: u64,
    /// Checksum of that group.
    pub(crate) prev_crc: u32,
    /// How many records it holds.
    pub(crate) records: u32,
    /// Bytes of the records.
    pub(crate) len: u32,
    /// Bytes of the summary; 0 if there is none.
    pub(crate) summary_len: u32,
    /// Checksum of the records.
    pub(crate) payload_crc: u32,
}

impl GroupHeader {
    /// Bytes of an encoded header.
    pub(crate) const LEN: usize = 64;

    /// Where the summary begins, counted from the group.
    pub(crate) fn summary_at(&self) -> usize {
        (Self::LEN + self.len as usize).next_multiple_of(BLOCK)
    }

    /// Bytes of the whole group with its padding.
    pub(crate) fn size(&self) -> usize {
        self.summary_at() + (self.summary_len as usize).next_multiple_of(BLOCK)
    }

    /// Encodes, and returns the checksum that stands for the whole group.
    pub(crate) fn encode(&self, mut out: &mut [u8], seed: WalSeed) -> u32 {
        let mut fields = [0; CRC_COVERS];
        let mut rest = &mut fields[..];
        rest.put_u32_le(MAGIC);
        rest.put_u32_le(VERSION);
        rest.put_u64_le(self.incarnation);
        rest.put_u64_le(self.boot.get());
        rest.put_u64_le(self.group);
        rest.put_u64_le(self.synced_upto);
        rest.put_u32_le(self.prev_crc);
        rest.put_u32_le(self.records);
        rest.put_u32_le(self.len);
        rest.put_u32_le(self.summary_len);
        rest.put_u32_le(self.payload_crc);
        let crc = crc32c_append(seed.0, &fields);
        out.put_slice(&fields);
        out.put_u32_le(crc);
        crc
    }

    /// Reads the header at the front of `input`, with the checksum that stands for the group.
    pub(crate) fn decode(input: &[u8], seed: WalSeed) -> Result<(Self, u32), DecodeError> {
        const WHAT: &str = "group header";
        if input.len() < Self::LEN {
            return Err(DecodeError::Truncated {
                what: WHAT,
                needed: Self::LEN,
                available: input.len(),
            });
        }
        let mut fields = &input[..Self::LEN];
        let magic = fields.get_u32_le();
        if magic != MAGIC {
            return Err(DecodeError::UnknownValue {
                what: "group magic",
                value: magic.into(),
            });
        }
        let found = crc32c_append(seed.0, &input[..CRC_COVERS]);
        let version = fields.get_u32_le();
        let header = Self {
            incarnation: fields.get_u64_le(),
            boot: Boot::new(fields.get_u64_le()),
            group: fields.get_u64_le(),
            synced_upto: fields.get_u64_le(),
            prev_crc: fields.get_u32_le(),
            records: fields.get_u32_le(),
            len: fields.get_u32_le(),
            summary_len: fields.get_u32_le(),
            payload_crc: fields.get_u32_le(),
        };
        let expected = fields.get_u32_le();
        if found != expected {
            return Err(DecodeError::Checksum {
                what: WHAT,
                found,
                expected,
            });
        }
        if version != VERSION {
            return Err(DecodeError::UnknownValue {
                what: "group version",
                value: version.into(),
            });
        }
        Ok((header, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> GroupHeader {
        GroupHeader {
            incarnation: 7,
            boot: Boot::new(3),
            group: 3 << 40 | 12,
            synced_upto: 3 << 40 | 11,
            prev_crc: 0xdead_beef,
            records: 2,
            len: 5000,
            summary_len: 100,
            payload_crc: 1,
        }
    }

    #[test]
    fn a_header_reads_back_only_with_the_seed_of_its_store() {
        let seed = WalSeed::of(StoreId::from_bytes([1; 16]));
        let mut bytes = [0; GroupHeader::LEN];
        let crc = header().encode(&mut bytes, seed);
        assert_eq!(GroupHeader::decode(&bytes, seed).unwrap(), (header(), crc));
        let other = WalSeed::of(StoreId::from_bytes([2; 16]));
        assert!(GroupHeader::decode(&bytes, other).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(GroupHeader::decode(&damaged, seed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn records_and_summary_begin_on_blocks_of_their_own() {
        assert_eq!(header().summary_at(), 2 * BLOCK);
        assert_eq!(header().size(), 3 * BLOCK);
    }
}
