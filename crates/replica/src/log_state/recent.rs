//! The latest batches of a log, in memory: what is pushed to followers and read by consumers
//! without touching the disk.

use std::collections::VecDeque;

use tetrarch_wire::{Batch, LogPosition, Seq};

/// Consecutive batches up to the end of the log.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// The end of what was let go last: where the batches begin.
    before: Option<LogPosition>,
}

impl Recent {
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, batch: Batch) {
        self.bytes += batch.size();
        self.batches.push_back(batch);
    }

    pub(super) fn truncate(&mut self, after: Seq) {
        while self
            .batches
            .back()
            .is_some_and(|batch| batch.last_seq() > after)
        {
            let cut = self.batches.pop_back();
            self.bytes -= cut.map_or(0, |batch| batch.size());
        }
        self.before.take_if(|before| before.seq > after);
    }

    pub(super) fn trim(&mut self, upto: Seq) {
        while self.pop_front_up_to(upto) {}
    }

    pub(super) fn evict(&mut self, limit: usize, keep_after: Seq) {
        while self.bytes > limit && self.pop_front_up_to(keep_after) {}
    }

    fn pop_front_up_to(&mut self, upto: Seq) -> bool {
        if self
            .batches
            .front()
            .is_none_or(|batch| batch.last_seq() > upto)
        {
            return false;
        }
        if let Some(gone) = self.batches.pop_front() {
            self.bytes -= gone.size();
            self.before = Some(gone.position());
        }
        true
    }

    /// The index of the batch that begins directly after `seq`.
    pub(crate) fn index_after(&self, seq: Seq) -> Option<usize> {
        let index = self
            .batches
            .partition_point(|batch| batch.base_seq() <= seq);
        let batch = self.batches.get(index)?;
        (batch.base_seq() == seq.next()).then_some(index)
    }

    /// The index of the batch that holds `seq`.
    pub(crate) fn index_of(&self, seq: Seq) -> Option<usize> {
        let index = self.batches.partition_point(|batch| batch.last_seq() < seq);
        let batch = self.batches.get(index)?;
        (batch.base_seq() <= seq).then_some(index)
    }

    pub(super) fn position_at(&self, seq: Seq) -> Option<LogPosition> {
        if let Some(before) = self.before.filter(|before| before.seq == seq) {
            return Some(before);
        }
        let batch = &self.batches[self.index_of(seq)?];
        (batch.last_seq() == seq).then(|| batch.position())
    }

    /// The batches from an index on.
    pub(crate) fn from(&self, index: usize) -> impl Iterator<Item = &Batch> {
        self.batches.range(index.min(self.batches.len())..)
    }

    /// Whole batches from an index on: at least one if there is one, else no more than
    /// `max_bytes` and `max_batches`.
    pub(crate) fn take_from(
        &self,
        index: usize,
        max_bytes: usize,
        max_batches: usize,
    ) -> Vec<Batch> {
        let mut bytes = 0;
        self.from(index)
            .take(max_batches.max(1))
            .take_while(|batch| {
                let first = bytes == 0;
                bytes += batch.size();
                first || bytes <= max_bytes
            })
            .cloned()
            .collect()
    }
}
