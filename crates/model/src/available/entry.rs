//! Epochs and batches, as small as they can be.

use std::fmt;

use tetrarch_wire::Epoch;

use crate::voter::voter;

/// An epoch: its number and its leader, ordered by number first.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair(u8);

impl Pair {
    /// The highest number.
    pub const MOST: u8 = 7;

    /// The epoch `n` of `leader`.
    #[must_use]
    pub fn new(n: u8, leader: u8) -> Self {
        debug_assert!((1..=Self::MOST).contains(&n) && leader < 4);
        Self(n << 2 | leader)
    }

    /// Its number.
    #[must_use]
    pub const fn n(self) -> u8 {
        self.0 >> 2
    }

    /// Who leads it.
    #[must_use]
    pub const fn leader(self) -> u8 {
        self.0 & 3
    }

    /// A number below 32 of its own.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }

    /// As it stands in frames and batches.
    #[must_use]
    pub fn epoch(self) -> Epoch {
        if self.n() == 0 {
            Epoch::NONE
        } else {
            Epoch::new(u64::from(self.n()), voter(self.leader()))
        }
    }

    /// Back from a frame.
    #[must_use]
    pub fn of(epoch: Epoch) -> Option<Self> {
        let n = u8::try_from(epoch.n).ok().filter(|n| *n <= Self::MOST)?;
        let leader = (0..3).find(|leader| voter(*leader) == epoch.leader)?;
        Some(Self::new(n, leader))
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.n(), self.leader())
    }
}

/// One batch: the epoch it was written in and what it carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry(u16);

const EVENT: u16 = 7;
const LOST: u16 = 1 << 3;

impl Entry {
    /// The highest number of an event.
    pub const MOST: u8 = 7;

    /// How many bits it takes.
    pub(super) const BITS: u32 = 9;

    /// The batch that opens an epoch.
    #[must_use]
    pub fn epoch_start(epoch: Pair) -> Self {
        Self(u16::from(epoch.0) << 4)
    }

    /// A batch with the event number `id`, which begins at 1.
    #[must_use]
    pub fn event(epoch: Pair, id: u8) -> Self {
        debug_assert!((1..=Self::MOST).contains(&id));
        Self(u16::from(epoch.0) << 4 | u16::from(id))
    }

    /// A batch that declares the event number `id` lost.
    #[must_use]
    pub fn declaration(epoch: Pair, id: u8) -> Self {
        Self(Self::event(epoch, id).0 | LOST)
    }

    /// The epoch it was written in.
    #[must_use]
    pub const fn epoch(self) -> Pair {
        let [low, high] = (self.0 >> 4).to_le_bytes();
        debug_assert!(high == 0);
        Pair(low)
    }

    /// The event that it carries or declares lost.
    #[must_use]
    pub const fn id(self) -> Option<u8> {
        let [id, _] = (self.0 & EVENT).to_le_bytes();
        if id == 0 { None } else { Some(id) }
    }

    /// Whether it declares its event lost.
    #[must_use]
    pub const fn is_declaration(self) -> bool {
        self.0 & LOST != 0
    }

    pub(super) const fn raw(self) -> u16 {
        self.0
    }

    pub(super) const fn from_raw(raw: u16) -> Option<Self> {
        if raw == 0 { None } else { Some(Self(raw)) }
    }

    /// The same in another epoch.
    #[must_use]
    pub fn again_in(self, epoch: Pair) -> Self {
        Self(u16::from(epoch.0) << 4 | self.0 & (EVENT | LOST))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.epoch();
        match self.id() {
            None => write!(f, "start of {epoch:?}"),
            Some(id) if self.is_declaration() => write!(f, "loss of {id} in {epoch:?}"),
            Some(id) => write!(f, "event {id} in {epoch:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_comes_back_from_a_frame() {
        let pair = Pair::new(3, 1);
        assert_eq!(Pair::of(pair.epoch()), Some(pair));
        assert_eq!(Pair::of(Epoch::NONE), None);
        assert_eq!(Pair::of(Epoch::new(8, voter(1))), None);
        assert!(Pair::new(1, 2) < Pair::new(2, 0) && Pair::new(1, 0) < Pair::new(1, 1));
    }
}
