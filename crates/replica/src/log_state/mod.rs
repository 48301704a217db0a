//! What a replica knows of its log: both ends, how far it is durable, its epochs, and the latest
//! batches themselves. The bytes on disk are the shell's; this is the protocol's picture of them.

mod epochs;
mod recent;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Batch, EpochStart, LogPosition, Seq};

pub(crate) use epochs::Epochs;
pub use epochs::common_end;
pub(crate) use recent::Recent;

/// The log as the protocol sees it.
#[derive(Debug)]
pub(crate) struct LogState {
    /// The position before the first batch that is held.
    start: LogPosition,
    /// The end, durable or not.
    tail: LogPosition,
    /// How far it is durable.
    durable: LogPosition,
    /// One more at each truncation: completions of writes from before do not move `durable`.
    generation: u64,
    recent: Recent,
    epochs: Epochs,
}

impl LogState {
    /// A recovered log: all of it is durable and none of it in memory.
    pub(crate) fn recovered(
        start: LogPosition,
        tail: LogPosition,
        epochs: Vec<EpochStart>,
    ) -> Self {
        Self {
            start,
            tail,
            durable: tail,
            generation: 0,
            recent: Recent::default(),
            epochs: Epochs::new(epochs),
        }
    }

    /// The same log after so many truncations.
    pub(crate) fn of_generation(mut self, generation: u64) -> Self {
        self.generation = generation;
        self
    }

    pub(crate) const fn start(&self) -> LogPosition {
        self.start
    }

    pub(crate) const fn tail(&self) -> LogPosition {
        self.tail
    }

    pub(crate) const fn durable(&self) -> LogPosition {
        self.durable
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) const fn recent(&self) -> &Recent {
        &self.recent
    }

    pub(crate) const fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    pub(crate) fn is_all_durable(&self) -> bool {
        self.durable.seq == self.tail.seq
    }

    /// Puts a batch behind the end. The caller has checked that it follows.
    pub(crate) fn append(&mut self, batch: Batch) {
        debug_assert_eq!(batch.base_seq(), self.tail.seq.next());
        self.epochs.note(&batch);
        self.tail = batch.position();
        self.recent.push(batch);
    }

    /// Cuts everything after `point`, which lies within the log.
    pub(crate) fn truncate(&mut self, point: LogPosition) {
        debug_assert!(point.seq <= self.tail.seq);
        self.generation += 1;
        self.recent.truncate(point.seq);
        self.epochs.truncate(point.seq);
        self.tail = point;
        if self.durable.seq > point.seq {
            self.durable = point;
        }
    }

    /// A write that ended at `end` is durable. It counts only if nothing was cut since it was
    /// issued (protocol §3.5).
    pub(crate) fn made_durable(&mut self, end: LogPosition, generation: u64) {
        let is_current = generation == self.generation || planted(Mutant::DurableAcrossCut);
        if is_current && end.seq > self.durable.seq {
            debug_assert!(end.seq <= self.tail.seq);
            self.durable = end;
        }
    }

    /// The log has dropped its front.
    pub(crate) fn trimmed(&mut self, start: LogPosition) {
        if start.seq > self.start.seq && start.seq <= self.durable.seq {
            self.start = start;
            self.epochs.trim(start.seq);
            self.recent.trim(start.seq);
        }
    }

    /// Lets go of old batches beyond `limit` bytes, but of none after `keep_after`.
    pub(crate) fn evict(&mut self, limit: usize, keep_after: Seq) {
        self.recent.evict(limit, keep_after.min(self.durable.seq));
    }

    /// The position of the batch that ends at `seq`, if it is known without reading the disk.
    pub(crate) fn position_at(&self, seq: Seq) -> Option<LogPosition> {
        [self.tail, self.durable, self.start]
            .into_iter()
            .find(|position| position.seq == seq)
            .or_else(|| self.recent.position_at(seq))
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::{
        Epoch, Link, VoterId,
        batch::{BatchDraft, Control},
    };

    use super::*;

    fn log_of(epochs: &[u64]) -> LogState {
        let origin = LogPosition::origin(Link::genesis(b"test"));
        let mut log = LogState::recovered(origin, origin, vec![]);
        for n in epochs {
            let epoch = Epoch::new(*n, VoterId::from_bytes([1; 16]));
            let draft = BatchDraft::control(&Control::Noop { count: 2 });
            log.append(draft.seal(&log.tail(), epoch, 0));
        }
        log
    }

    #[test]
    fn appending_moves_the_tail_and_only_a_completion_moves_the_durable_end() {
        let mut log = log_of(&[1, 1]);
        assert_eq!(log.tail().seq, Seq::new(4));
        assert_eq!(log.durable().seq, Seq::ZERO);
        let middle = log.position_at(Seq::new(2)).unwrap();
        log.made_durable(middle, 0);
        assert_eq!(log.durable(), middle);
        assert_eq!(log.position_at(Seq::new(3)), None);
    }

    #[test]
    fn a_completion_from_before_a_truncation_counts_for_nothing() {
        let mut log = log_of(&[1, 1, 2]);
        let (old_tail, old) = (log.tail(), log.generation());
        let point = log.position_at(Seq::new(2)).unwrap();
        log.truncate(point);
        log.made_durable(old_tail, old);
        assert_eq!(log.durable().seq, Seq::ZERO);
        log.made_durable(point, log.generation());
        assert_eq!(log.durable(), point);
        assert_eq!(log.epochs().newest_first(Seq::MAX, 16).len(), 1);
    }

    #[test]
    fn eviction_spares_what_is_not_durable() {
        let mut log = log_of(&[1, 1, 1]);
        log.evict(0, Seq::MAX);
        assert!(log.recent().index_after(Seq::ZERO).is_some());
        log.made_durable(log.tail(), 0);
        log.evict(0, Seq::new(2));
        assert_eq!(log.recent().index_after(Seq::ZERO), None);
        let before = log.position_at(Seq::new(2));
        assert!(before.is_some(), "where memory begins is known");
        assert!(log.recent().index_after(Seq::new(2)).is_some());
    }
}
