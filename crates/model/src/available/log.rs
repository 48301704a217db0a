//! A log of at most fourteen batches in sixteen bytes. The hash link of a position is the prefix
//! itself, so that equal links mean equal prefixes without a hash that might collide.

use std::fmt;

use tetrarch_wire::{Epoch, EpochStart, Link, LogPosition, Seq};

use super::Entry;

/// A log, oldest batch first. Every batch is one seq long.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Log(u128);

const BITS: u32 = Entry::BITS;

impl Log {
    /// The longest log that can be told of.
    pub const MOST: u8 = 14;

    /// How many batches it has.
    #[must_use]
    pub const fn len(self) -> u8 {
        let [len, ..] = (u128::BITS - self.0.leading_zeros())
            .div_ceil(BITS)
            .to_le_bytes();
        len
    }

    /// Whether it has no batch.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether another batch can be told of.
    #[must_use]
    pub const fn has_room(self) -> bool {
        self.len() < Self::MOST
    }

    /// Puts a batch at the end.
    pub fn push(&mut self, entry: Entry) {
        debug_assert!(self.has_room());
        self.0 |= u128::from(entry.raw()) << (u32::from(self.len()) * BITS);
    }

    /// The batch at the position `seq`, which counts from 1.
    #[must_use]
    pub fn get(self, seq: u8) -> Option<Entry> {
        let index = seq.checked_sub(1).filter(|index| *index < self.len())?;
        let raw = self.0 >> (u32::from(index) * BITS) & ((1 << BITS) - 1);
        Entry::from_raw(u16::try_from(raw).ok()?)
    }

    /// Its batches after the position `after`.
    pub fn after(self, after: u8) -> impl Iterator<Item = Entry> {
        (after + 1..=self.len()).filter_map(move |seq| self.get(seq))
    }

    /// Its batches.
    pub fn entries(self) -> impl Iterator<Item = Entry> {
        self.after(0)
    }

    /// Its first `len` batches, or all.
    #[must_use]
    pub const fn prefix(self, len: u8) -> Self {
        if len >= Self::MOST {
            return self;
        }
        Self(self.0 & ((1 << (len as u32 * BITS)) - 1))
    }

    /// Whether `longer` begins with it.
    #[must_use]
    pub fn is_prefix_of(self, longer: Self) -> bool {
        longer.prefix(self.len()) == self
    }

    /// How long a prefix it shares with `other`.
    #[must_use]
    pub fn common(self, other: Self) -> u8 {
        let [equal, ..] = ((self.0 ^ other.0).trailing_zeros() / BITS).to_le_bytes();
        equal.min(self.len()).min(other.len())
    }

    /// The position of its batch number `seq`.
    #[must_use]
    pub fn position(self, seq: u8) -> LogPosition {
        LogPosition {
            seq: Seq::new(u64::from(seq)),
            epoch: self
                .get(seq)
                .map_or(Epoch::NONE, |entry| entry.epoch().epoch()),
            link: Link::from_bytes(self.prefix(seq).0.to_le_bytes()),
        }
    }

    /// Its end.
    #[must_use]
    pub fn end(self) -> LogPosition {
        self.position(self.len())
    }

    /// Where its epochs begin, oldest first.
    #[must_use]
    pub fn epochs(self) -> Vec<EpochStart> {
        let mut rows: Vec<EpochStart> = Vec::new();
        for (seq, entry) in (1..).zip(self.entries()) {
            let epoch = entry.epoch().epoch();
            if rows.last().is_none_or(|row| row.epoch < epoch) {
                let LogPosition { seq, link, .. } = self.position(seq);
                rows.push(EpochStart {
                    epoch,
                    start: seq,
                    link,
                });
            }
        }
        rows
    }

    /// Which events it carries or declares lost after `after`, a bit for each.
    #[must_use]
    pub fn records_after(self, after: u8) -> u8 {
        let ids = self.after(after).filter_map(Entry::id);
        ids.fold(0, |all, id| all | 1 << id)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Pair, *};

    fn log(entries: &[Entry]) -> Log {
        let mut log = Log::default();
        entries.iter().for_each(|entry| log.push(*entry));
        log
    }

    #[test]
    fn a_log_is_its_entries() {
        let epoch = Pair::new(7, 2);
        let all: Vec<Entry> = (1..=7)
            .flat_map(|id| [Entry::event(epoch, id), Entry::declaration(epoch, id)])
            .collect();
        let full = log(&all);
        assert!(!full.has_room());
        assert!(full.entries().eq(all.iter().copied()));
        for len in 0..=Log::MOST {
            let prefix = full.prefix(len);
            assert_eq!(prefix, log(&all[..usize::from(len)]));
            assert_eq!((prefix.len(), prefix.common(full)), (len, len));
            assert_eq!(prefix.common(prefix), len);
            assert!(prefix.is_prefix_of(full));
            assert_eq!(full.after(len).count(), usize::from(Log::MOST - len));
        }
        assert_eq!(full.prefix(u8::MAX), full);
        assert_eq!(full.records_after(12), 1 << 7);
    }

    #[test]
    fn two_histories_are_common_up_to_where_they_part() {
        let start = Entry::epoch_start(Pair::new(1, 0));
        let one = log(&[start, Entry::event(Pair::new(1, 0), 1)]);
        let second = Pair::new(2, 1);
        let other = log(&[start, Entry::epoch_start(second), Entry::event(second, 1)]);
        assert_eq!(one.common(other), 1);
        assert_ne!(one.end().link, other.end().link);
        assert_eq!(one.position(1), other.position(1));
        let rows: Vec<_> = other.epochs().iter().map(|row| row.start.get()).collect();
        assert_eq!(rows, [1, 2]);
    }
}
