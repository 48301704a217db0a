//! What a channel must be after everything that it was given, worked out without the store: what power
//! cuts and the fuzzer leave is held against it.

use tetrarch_wire::{Batch, EpochStart, HardState, LogPosition, Seq};

use crate::WriteOp;

/// A channel as it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    origin: LogPosition,
    /// Where the log began last.
    beginning: LogPosition,
    /// From there on; also what was trimmed.
    pub log: Vec<Batch>,
    /// The latest promise.
    pub hard_state: HardState,
    /// The highest commit position that was told.
    pub hint: Seq,
    /// Up to here the log may be gone.
    pub trim: Seq,
    /// Whether the store holds it.
    pub is_held: bool,
    /// How far the log went, by rank, before the store let go of it.
    pub reached: LogPosition,
    /// How often the store let go of it.
    pub releases: u64,
}

impl Reference {
    /// A channel to which nothing was written, whose log begins at `origin`.
    #[must_use]
    pub const fn new(origin: LogPosition) -> Self {
        Self {
            origin,
            beginning: origin,
            log: Vec::new(),
            hard_state: HardState::INITIAL,
            hint: Seq::ZERO,
            trim: Seq::ZERO,
            is_held: true,
            reached: origin,
            releases: 0,
        }
    }

    /// The end of the log.
    #[must_use]
    pub fn tail(&self) -> LogPosition {
        self.position(self.log.len())
    }

    /// The earliest position at which it can begin.
    #[must_use]
    pub const fn beginning(&self) -> LogPosition {
        self.beginning
    }

    /// The end of its first `count` batches.
    #[must_use]
    pub fn position(&self, count: usize) -> LogPosition {
        match count.checked_sub(1) {
            Some(last) => self.log[last].position(),
            None => self.beginning,
        }
    }

    /// Where its epochs begin, as far as a log that begins after `start` must know.
    #[must_use]
    pub fn epochs(&self, start: Seq) -> Vec<EpochStart> {
        let mut epochs: Vec<EpochStart> = Vec::new();
        if self.beginning.seq > Seq::ZERO {
            epochs.push(EpochStart::of_beginning(self.beginning));
        }
        let mut before = self.beginning.epoch;
        for batch in &self.log {
            if batch.epoch() != before {
                if batch.base_seq() <= start {
                    epochs.clear();
                }
                epochs.push(EpochStart {
                    epoch: batch.epoch(),
                    start: batch.base_seq(),
                    link: batch.link(),
                });
            }
            before = batch.epoch();
        }
        epochs
    }

    /// What a reader must find from `start` on.
    #[must_use]
    pub fn readable(&self, start: Seq) -> &[Batch] {
        let gone = self.log.partition_point(|batch| batch.base_seq() <= start);
        &self.log[gone..]
    }

    /// Follows one operation. Beginning and ending are not its own matter.
    pub fn follow(&mut self, op: &WriteOp) {
        match op {
            WriteOp::Append(batches) => self.log.extend(batches.iter().cloned()),
            WriteOp::Begin(at) => {
                self.log.clear();
                self.beginning = *at;
                self.trim = self.trim.max(at.seq);
            }
            WriteOp::Truncate(at) => self.log.retain(|batch| batch.last_seq() <= at.seq),
            WriteOp::HardState(state) => self.hard_state = *state,
            WriteOp::CommitHint(seq) => self.hint = self.hint.max(*seq),
            WriteOp::Trim { upto } => self.trim = self.trim.max(*upto),
            WriteOp::TakeUp => self.is_held = true,
            WriteOp::Release => {
                if self.tail().rank() > self.reached.rank() {
                    self.reached = self.tail();
                }
                self.log.clear();
                self.beginning = self.origin;
                self.hint = Seq::ZERO;
                self.trim = Seq::ZERO;
                self.is_held = false;
                self.releases += 1;
            }
            WriteOp::Open { .. } | WriteOp::Delete => {}
        }
    }
}
