//! How many of something there are, and how many there may be.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts who is inside.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<AtomicUsize>);

/// Somebody is inside until this is dropped.
#[derive(Debug)]
pub(super) struct Ticket(Arc<AtomicUsize>);

impl Gate {
    /// How many are inside.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets one more in, unless `limit` are inside.
    pub(super) fn enter(&self, limit: usize) -> Option<Ticket> {
        let more = |inside| (inside < limit).then_some(inside + 1);
        let entered = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.ok().map(|_| Ticket(Arc::clone(&self.0)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_inside_at_once() {
        let gate = Gate::default();
        let first = gate.enter(2).unwrap();
        let second = gate.enter(2).unwrap();
        assert!(gate.enter(2).is_none());
        drop(first);
        assert_eq!(gate.count(), 1);
        assert!(gate.enter(2).is_some());
        drop(second);
        assert_eq!(gate.count(), 0);
    }
}
