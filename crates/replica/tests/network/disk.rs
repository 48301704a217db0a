//! A store in memory: what is durable, and what would be lost in a crash.

use std::collections::VecDeque;

use tetrarch_replica::{LogReadFailure, LogWrite, PersistToken};
use tetrarch_wire::{Batch, EpochStart, HardState, LogPosition, Seq};

/// One node's durable state of the channel.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) hard_state: HardState,
    pub(crate) start: LogPosition,
    pub(crate) log: Vec<Batch>,
    pub(crate) commit_hint: Seq,
    pub(crate) snapshot: Option<(Seq, bytes::Bytes)>,
    /// Issued and not durable yet, in order.
    pub(crate) pending: VecDeque<(PersistToken, Vec<LogWrite>)>,
    /// No room for batches; promises and cuts still find some.
    pub(crate) full: bool,
}

impl Disk {
    pub(crate) fn new(origin: LogPosition) -> Self {
        Self {
            hard_state: HardState::INITIAL,
            start: origin,
            log: Vec::new(),
            commit_hint: Seq::ZERO,
            snapshot: None,
            pending: VecDeque::new(),
            full: false,
        }
    }

    pub(crate) fn tail(&self) -> LogPosition {
        self.log.last().map_or(self.start, Batch::position)
    }

    pub(crate) fn epochs(&self) -> Vec<EpochStart> {
        let mut epochs: Vec<EpochStart> = Vec::new();
        for batch in &self.log {
            if epochs.last().is_none_or(|row| row.epoch != batch.epoch()) {
                epochs.push(EpochStart {
                    epoch: batch.epoch(),
                    start: batch.base_seq(),
                    link: batch.link(),
                });
            }
        }
        epochs
    }

    /// The batch that holds `seq`.
    pub(crate) fn batch_at(&self, seq: Seq) -> Option<&Batch> {
        let index = self.log.partition_point(|batch| batch.last_seq() < seq);
        self.log.get(index).filter(|batch| batch.base_seq() <= seq)
    }

    /// Whether the durable log holds this very position.
    pub(crate) fn holds(&self, seq: Seq, link: tetrarch_wire::Link) -> bool {
        if seq <= self.start.seq {
            return seq < self.start.seq || link == self.start.link;
        }
        let batch = self.batch_at(seq);
        batch.is_some_and(|batch| batch.last_seq() == seq && batch.link() == link)
    }

    /// Makes the first pending write durable; `false` if there was no room or it does not
    /// continue the log.
    pub(crate) fn apply_next(&mut self) -> Option<(PersistToken, bool)> {
        let (token, writes) = self.pending.pop_front()?;
        let appends = writes.iter().find_map(|write| match write {
            LogWrite::Append(batches) => batches.first(),
            LogWrite::Truncate(_) | LogWrite::HardState(_) | LogWrite::CommitHint(_) => None,
        });
        if let Some(first) = appends
            && (self.full || !first.follows(&self.tail()))
        {
            return Some((token, false));
        }
        let cut = writes.iter().find_map(|write| match write {
            LogWrite::Truncate(point) => Some(*point),
            LogWrite::Append(_) | LogWrite::HardState(_) | LogWrite::CommitHint(_) => None,
        });
        if cut.is_some_and(|point| !self.holds(point.seq, point.link)) {
            return Some((token, false));
        }
        for write in writes {
            self.apply(write);
        }
        Some((token, true))
    }

    fn apply(&mut self, write: LogWrite) {
        match write {
            LogWrite::Append(batches) => {
                for batch in batches {
                    assert!(batch.follows(&self.tail()), "{batch:?} does not follow");
                    self.log.push(batch);
                }
            }
            LogWrite::Truncate(point) => {
                while self.tail().seq > point.seq && !self.log.is_empty() {
                    self.log.pop();
                }
                assert_eq!(self.tail(), point, "cut in the middle of a batch");
            }
            LogWrite::HardState(promise) => self.hard_state = promise,
            LogWrite::CommitHint(seq) => self.commit_hint = self.commit_hint.max(seq),
        }
    }

    pub(crate) fn trim(&mut self, upto: Seq) {
        while self.log.first().is_some_and(|b| b.last_seq() <= upto) && self.log.len() > 1 {
            self.start = self.log.remove(0).position();
        }
    }

    pub(crate) fn read(&self, from: Seq, max_bytes: u32) -> Result<Vec<Batch>, LogReadFailure> {
        if from <= self.start.seq {
            return Err(LogReadFailure::Trimmed);
        }
        let first = self.log.partition_point(|batch| batch.last_seq() < from);
        if first == self.log.len() {
            return Err(LogReadFailure::BeyondTail);
        }
        let mut bytes = 0;
        let batches = self.log[first..].iter().take_while(|batch| {
            let fits = bytes == 0 || bytes + batch.size() <= max_bytes as usize;
            bytes += batch.size();
            fits
        });
        Ok(batches.cloned().collect())
    }
}
