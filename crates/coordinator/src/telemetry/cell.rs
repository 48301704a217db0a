//! The cells that hold measurements between scrapes. Writing one costs an atomic operation; what
//! has an open set of labels takes a lock, and is for rare events only.

use std::{
    collections::BTreeMap,
    marker::PhantomData,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use super::labels::Label;

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How many of something there are now. Cloning it yields another handle on the same number.
#[derive(Clone, Debug, Default)]
pub struct Level(Arc<AtomicI64>);

impl Level {
    /// `amount` more.
    pub fn add(&self, amount: u32) {
        self.0.fetch_add(amount.into(), Relaxed);
    }

    /// `amount` fewer.
    pub fn sub(&self, amount: u32) {
        self.0.fetch_sub(amount.into(), Relaxed);
    }

    /// One more, until what is returned is dropped.
    #[must_use = "it is counted only until this is dropped"]
    pub fn hold(&self) -> Held {
        self.add(1);
        Held(self.clone())
    }

    pub(super) fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// One of the things that a [`Level`] counts, for as long as it exists.
#[derive(Debug)]
pub struct Held(Level);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.sub(1);
    }
}

/// A number that is known or not.
#[derive(Debug)]
pub(super) struct Known(AtomicU64);

impl Known {
    const UNKNOWN: u64 = u64::MAX;

    pub(super) fn set(&self, value: Option<u64>) {
        let known = value.map_or(Self::UNKNOWN, |value| value.min(Self::UNKNOWN - 1));
        self.0.store(known, Relaxed);
    }

    pub(super) fn get(&self) -> Option<u64> {
        Some(self.0.load(Relaxed)).filter(|value| *value != Self::UNKNOWN)
    }
}

impl Default for Known {
    fn default() -> Self {
        Self(AtomicU64::new(Self::UNKNOWN))
    }
}

/// One cell for each value of a label.
#[derive(Debug)]
pub(super) struct Each<L, C> {
    cells: Box<[C]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label, C> Each<L, C> {
    pub(super) fn of(&self, label: L) -> &C {
        &self.cells[label.index()]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (L, &C)> {
        L::ALL.iter().copied().zip(&self.cells)
    }
}

impl<L: Label, C: Default> Default for Each<L, C> {
    fn default() -> Self {
        Self {
            cells: L::ALL.iter().map(|_| C::default()).collect(),
            label: PhantomData,
        }
    }
}

/// Counters under words that the code chooses. For rare events: it takes a lock.
#[derive(Debug)]
pub(super) struct Words<K>(Mutex<BTreeMap<K, u64>>);

impl<K: Ord + Copy> Words<K> {
    pub(super) fn count(&self, key: K) {
        *self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_default() += 1;
    }

    pub(super) fn snapshot(&self) -> BTreeMap<K, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl<K> Default for Words<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Whoever takes part in something now. Members leave by being dropped.
#[derive(Debug)]
pub(super) struct Roll<T>(Mutex<Vec<Weak<T>>>);

impl<T> Roll<T> {
    pub(super) fn join(&self, member: T) -> Arc<T> {
        let member = Arc::new(member);
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|other| other.strong_count() > 0);
        members.push(Arc::downgrade(&member));
        member
    }

    pub(super) fn members(&self) -> Vec<Arc<T>> {
        let members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.iter().filter_map(Weak::upgrade).collect()
    }
}

impl<T> Default for Roll<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_until_it_is_dropped() {
        let level = Level::default();
        let one = level.hold();
        let two = level.hold();
        assert_eq!(level.get(), 2);
        drop(one);
        assert_eq!(level.get(), 1);
        drop(two);
        assert_eq!(level.get(), 0);
    }

    #[test]
    fn zero_and_unknown_differ_and_the_largest_number_is_known() {
        let cell = Known::default();
        assert_eq!(cell.get(), None);
        cell.set(Some(0));
        assert_eq!(cell.get(), Some(0));
        cell.set(Some(u64::MAX));
        assert_eq!(cell.get(), Some(u64::MAX - 1));
        cell.set(None);
        assert_eq!(cell.get(), None);
    }

    #[test]
    fn a_dropped_member_is_off_the_roll_and_its_place_is_reused() {
        let roll = Roll::default();
        let stays = roll.join(1);
        drop(roll.join(2));
        assert_eq!(roll.members(), [Arc::clone(&stays)]);
        for number in 0..100 {
            drop(roll.join(number));
        }
        assert!(roll.0.lock().unwrap().len() <= 2);
    }
}
