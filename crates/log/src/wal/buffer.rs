//! The buffer in which a commit group is built: every payload is copied into it once, then it is
//! written with one call.

use tetrarch_wire::checksum::crc32c_append;
use tetrarch_wire::{Boot, ChannelUid};

use super::group::{GroupHeader, WalSeed};
use super::record;
use super::summary::{self, SummaryEntry};
use crate::WriteOp;
use crate::disk::BLOCK;
use crate::lsn::Lsn;

/// A group under construction. It is reused from group to group.
#[derive(Debug)]
pub(crate) struct GroupBuffer {
    seed: WalSeed,
    group: u64,
    bytes: Vec<u8>,
    records: u32,
    entries: Vec<SummaryEntry>,
    has_hard_state: bool,
    /// Bytes from the beginning that make the group intact.
    essential: usize,
}

/// What a group continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupLink {
    pub(crate) group: u64,
    pub(crate) crc: u32,
}

impl GroupLink {
    /// Before the first group of a boot.
    pub(crate) const NONE: Self = Self { group: 0, crc: 0 };
}

impl GroupBuffer {
    pub(crate) fn new(seed: WalSeed) -> Self {
        Self {
            seed,
            group: 0,
            bytes: Vec::new(),
            records: 0,
            entries: Vec::new(),
            has_hard_state: false,
            essential: 0,
        }
    }

    /// Begins the group of this number.
    pub(crate) fn begin(&mut self, group: u64) {
        self.group = group;
        self.bytes.clear();
        self.bytes.resize(GroupHeader::LEN, 0);
        self.records = 0;
        self.entries.clear();
        self.has_hard_state = false;
    }

    /// How far the group has come; [`Self::rewind`] returns there.
    pub(crate) fn mark(&self) -> (usize, u32, usize) {
        (self.bytes.len(), self.records, self.entries.len())
    }

    /// Takes back what was pushed after the mark.
    pub(crate) fn rewind(&mut self, (bytes, records, entries): (usize, u32, usize)) {
        self.bytes.truncate(bytes);
        self.records = records;
        self.entries.truncate(entries);
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, lsn: Lsn, channel: ChannelUid, op: &WriteOp) {
        let seed = self.seed.of_group(self.group);
        record::encode(&mut self.bytes, seed, channel, lsn, op);
        self.records += 1;
        self.entries.push(SummaryEntry::of(lsn, channel, op));
        self.has_hard_state |= matches!(op, WriteOp::HardState(_));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes of the finished group, at most.
    pub(crate) fn size_bound(&self) -> u64 {
        let summary = if self.has_hard_state {
            (self.entries.len() * size_of::<SummaryEntry>() + BLOCK).next_multiple_of(BLOCK)
        } else {
            0
        };
        (self.bytes.len().next_multiple_of(BLOCK) + summary) as u64
    }

    /// Finishes the group: padding, summary and header.
    pub(crate) fn seal(&mut self, incarnation: u64, boot: Boot, previous: GroupLink) -> GroupLink {
        // A group is bounded by the size of a WAL file, far below 4 GiB.
        let len = u32::try_from(self.bytes.len() - GroupHeader::LEN).expect("a group is bounded");
        let payload_crc = crc32c_append(
            self.seed.of_group(self.group),
            &self.bytes[GroupHeader::LEN..],
        );
        self.essential = self.bytes.len();
        self.pad();
        let summary_len = if self.has_hard_state {
            let len = summary::encode(
                &mut self.bytes,
                &self.entries,
                self.seed,
                incarnation,
                self.group,
            );
            self.pad();
            len
        } else {
            0
        };
        let header = GroupHeader {
            incarnation,
            boot,
            group: self.group,
            synced_upto: previous.group,
            prev_crc: previous.crc,
            records: self.records,
            len,
            summary_len,
            payload_crc,
        };
        let crc = header.encode(&mut self.bytes[..GroupHeader::LEN], self.seed);
        GroupLink {
            group: self.group,
            crc,
        }
    }

    /// The finished group.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The part of the finished group without which it is not intact.
    pub(crate) fn essential_bytes(&self) -> &[u8] {
        &self.bytes[..self.essential]
    }

    fn pad(&mut self) {
        let padded = self.bytes.len().next_multiple_of(BLOCK);
        self.bytes.resize(padded, 0);
    }
}
