//! Forks: what was sealed before it was cut off a log.

use super::{Log, decide::ForkName};

/// A fork on one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fork {
    /// The log as it was.
    pub log: Log,
    /// What comes after this position is the fork.
    pub base: u8,
    /// Whose store it is on.
    pub holder: u8,
    /// Whether it is on disk.
    pub durable: bool,
}

impl Fork {
    /// What tells it from others.
    #[must_use]
    pub fn name(&self) -> ForkName {
        ForkName {
            base: self.log.position(self.base),
            tail: self.log.end(),
        }
    }

    /// The events in it, and those that it declares lost, a bit for each.
    #[must_use]
    pub fn records(&self) -> u8 {
        self.log.records_after(self.base)
    }

    /// Whether it is another store's copy, or a part of one, as a name that says only where a fork
    /// begins would have it.
    #[must_use]
    pub fn begins_as(&self, other: &Self) -> bool {
        let first = self.base + 1;
        let starts = (self.log.prefix(self.base), other.log.prefix(other.base));
        let epochs = [self, other].map(|fork| fork.log.get(first).map(super::Entry::epoch));
        self.base == other.base && starts.0 == starts.1 && epochs[0] == epochs[1]
    }
}

/// All forks of all stores, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Forks(Vec<Fork>);

impl Forks {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Fork> {
        self.0.iter()
    }

    /// Those on disk.
    pub fn durable(&self) -> impl Iterator<Item = &Fork> {
        self.iter().filter(|fork| fork.durable)
    }

    /// Those of one store, on disk or not.
    pub fn of(&self, holder: u8) -> impl Iterator<Item = &Fork> {
        self.iter().filter(move |fork| fork.holder == holder)
    }

    /// Those on disk, of copies only one.
    pub fn different(&self) -> impl Iterator<Item = &Fork> {
        let mut last = None;
        self.durable().filter(move |fork| {
            let content = Some((fork.log, fork.base));
            std::mem::replace(&mut last, content) != content
        })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A store has one more.
    pub fn insert(&mut self, fork: Fork) {
        if let Err(place) = self.0.binary_search(&fork) {
            self.0.insert(place, fork);
        }
    }

    /// A store has one less.
    pub fn remove(&mut self, fork: &Fork) {
        self.0.retain(|other| other != fork);
    }

    /// What a store has not on disk yet gets there.
    pub fn keep(&mut self, holder: u8) {
        for fork in &mut self.0 {
            fork.durable |= fork.holder == holder;
        }
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// What a store has not on disk is gone.
    pub fn lose_unkept(&mut self, holder: u8) {
        self.0.retain(|fork| fork.holder != holder || fork.durable);
    }
}
