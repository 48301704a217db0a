//! A log of at most eight batches in one word. The hash link of a position is the prefix itself,
//! so that equal links mean equal prefixes without a hash that might collide.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use tetrarch_wire::{Epoch, EpochStart, Link, LogPosition, Seq};

use crate::voter::voter;

/// One batch: the epoch it was written in and what it carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry(u8);

impl Entry {
    /// The highest number of an epoch, and of an event, that fits.
    pub const MOST: u8 = 7;

    /// The batch that opens the epoch `n` of `leader`.
    #[must_use]
    pub fn epoch_start(n: u8, leader: u8) -> Self {
        Self::event(n, leader, 0)
    }

    /// A batch with the event number `event`, which begins at 1.
    #[must_use]
    pub fn event(n: u8, leader: u8, event: u8) -> Self {
        debug_assert!((1..=Self::MOST).contains(&n) && event <= Self::MOST && leader < 4);
        Self(n | leader << 3 | event << 5)
    }

    /// The epoch that it was written in.
    #[must_use]
    pub fn epoch(self) -> Epoch {
        Epoch::new(u64::from(self.0 & 7), voter(self.0 >> 3 & 3))
    }

    /// Whether it carries an event.
    #[must_use]
    pub const fn is_event(self) -> bool {
        self.0 >> 5 != 0
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, leader, event) = (self.0 & 7, self.0 >> 3 & 3, self.0 >> 5);
        if self.is_event() {
            write!(f, "event {event} of {n}/{leader}")
        } else {
            write!(f, "start of {n}/{leader}")
        }
    }
}

/// A log, oldest batch first. Every batch is one seq long.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Log([u8; Log::MOST]);

impl Hash for Log {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(u64::from_le_bytes(self.0));
    }
}

impl Log {
    /// The longest log that can be told of.
    pub const MOST: usize = 8;

    /// How many batches it has.
    #[must_use]
    pub fn len(self) -> u8 {
        let bits = 64 - u64::from_le_bytes(self.0).leading_zeros();
        u8::try_from(bits.div_ceil(8)).unwrap_or(u8::MAX)
    }

    /// Whether it has no batch.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Puts a batch at the end.
    pub fn push(&mut self, entry: Entry) {
        self.0[usize::from(self.len())] = entry.0;
    }

    /// Its batches.
    pub fn entries(self) -> impl Iterator<Item = Entry> {
        self.0.into_iter().take_while(|raw| *raw != 0).map(Entry)
    }

    /// The batch at the position `seq`, which counts from 1.
    #[must_use]
    pub fn get(self, seq: u8) -> Option<Entry> {
        let raw = self.0.get(usize::from(seq).checked_sub(1)?)?;
        (*raw != 0).then_some(Entry(*raw))
    }

    /// Its first `len` batches, or all.
    #[must_use]
    pub fn prefix(self, len: u8) -> Self {
        let mask = match u32::from(len) {
            len @ 0..=7 => (1 << (len * 8)) - 1,
            _ => u64::MAX,
        };
        Self((u64::from_le_bytes(self.0) & mask).to_le_bytes())
    }

    /// Whether `longer` begins with it.
    #[must_use]
    pub fn is_prefix_of(self, longer: Self) -> bool {
        longer.prefix(self.len()) == self
    }

    /// How long a prefix it shares with `other`.
    #[must_use]
    pub fn common(self, other: Self) -> u8 {
        let both = self.entries().zip(other.entries());
        let equal = both.take_while(|(one, other)| one == other).count();
        u8::try_from(equal).unwrap_or(u8::MAX)
    }

    /// Its end.
    #[must_use]
    pub fn end(self) -> LogPosition {
        self.position(self.len())
    }

    /// The position of its batch number `seq`.
    #[must_use]
    pub fn position(self, seq: u8) -> LogPosition {
        let mut link = [0; Link::LEN];
        link[..Self::MOST].copy_from_slice(&self.prefix(seq).0);
        LogPosition {
            seq: Seq::new(u64::from(seq)),
            epoch: self.get(seq).map_or(Epoch::NONE, Entry::epoch),
            link: Link::from_bytes(link),
        }
    }

    /// Where its epochs begin, oldest first.
    #[must_use]
    pub fn epochs(self) -> Vec<EpochStart> {
        let mut rows: Vec<EpochStart> = Vec::new();
        for (seq, entry) in (1..).zip(self.entries()) {
            if rows.last().is_none_or(|row| row.epoch < entry.epoch()) {
                let position = self.position(seq);
                rows.push(EpochStart {
                    epoch: position.epoch,
                    start: position.seq,
                    link: position.link,
                });
            }
        }
        rows
    }

    /// The first position of the epoch number `n`.
    #[must_use]
    pub fn start_of(self, n: u8) -> Option<Seq> {
        let index = self
            .entries()
            .position(|entry| entry.epoch().n == u64::from(n));
        index.map(|index| Seq::FIRST.plus(index as u64))
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(entries: &[Entry]) -> Log {
        let mut log = Log::default();
        entries.iter().for_each(|entry| log.push(*entry));
        log
    }

    #[test]
    fn a_log_is_its_entries() {
        let entries = [Entry::epoch_start(1, 2), Entry::event(1, 2, 1)];
        let two = log(&entries);
        assert_eq!(two.len(), 2);
        assert!(two.entries().eq(entries));
        assert_eq!(two.prefix(1), log(&entries[..1]));
        assert_eq!(two.prefix(8), two);
        assert_eq!(two.common(two.prefix(1)), 1);
        assert!(two.prefix(1).is_prefix_of(two) && !two.is_prefix_of(two.prefix(1)));
        assert_eq!(two.get(2), Some(entries[1]));
        assert_eq!(two.get(3), None);
        assert_eq!(two.get(0), None);
    }

    #[test]
    fn a_link_tells_two_histories_apart() {
        let one = log(&[Entry::epoch_start(1, 0), Entry::event(2, 1, 1)]);
        let other = log(&[Entry::epoch_start(1, 1), Entry::event(2, 1, 1)]);
        assert_eq!(one.end().rank(), other.end().rank());
        assert_ne!(one.end().link, other.end().link);
    }

    #[test]
    fn epochs_begin_where_their_first_batch_is() {
        let log = log(&[
            Entry::epoch_start(1, 0),
            Entry::event(1, 0, 1),
            Entry::epoch_start(3, 2),
        ]);
        let rows: Vec<_> = log.epochs().iter().map(|row| row.start.get()).collect();
        assert_eq!(rows, [1, 3]);
        assert_eq!(log.start_of(3), Some(Seq::new(3)));
        assert_eq!(log.start_of(2), None);
    }
}
