//! What is durable on the honest replica's node, and what its store would refuse to write.

use bytes::Bytes;
use tetrarch_replica::{LogReadFailure, LogWrite, Recovered};
use tetrarch_wire::{Batch, EpochStart, HardState, Link, LogPosition, Seq};

/// A log of batches, each of which continues the one before.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) origin: LogPosition,
    pub(crate) batches: Vec<Batch>,
}

impl Log {
    pub(crate) fn tail(&self) -> LogPosition {
        self.batches.last().map_or(self.origin, Batch::position)
    }

    /// Takes batches that continue it.
    pub(crate) fn append(&mut self, batches: &[Batch]) {
        for batch in batches {
            let tail = self.tail();
            assert!(batch.follows(&tail), "{batch:?} does not continue {tail:?}");
            self.batches.push(batch.clone());
        }
    }

    pub(crate) fn cut(&mut self, after: Seq) {
        self.batches.retain(|batch| batch.last_seq() <= after);
    }

    /// Whether a batch ends exactly there.
    pub(crate) fn holds(&self, at: LogPosition) -> bool {
        self.position_at(at.seq) == Some(at)
    }

    pub(crate) fn link_at(&self, seq: Seq) -> Option<Link> {
        self.position_at(seq).map(|position| position.link)
    }

    pub(crate) fn position_at(&self, seq: Seq) -> Option<LogPosition> {
        if seq == self.origin.seq {
            return Some(self.origin);
        }
        let batch = self.batch_with(seq)?;
        (batch.last_seq() == seq).then(|| batch.position())
    }

    pub(crate) fn batch_with(&self, seq: Seq) -> Option<&Batch> {
        let index = self.index_of(seq);
        let batch = self.batches.get(index)?;
        (batch.base_seq() <= seq).then_some(batch)
    }

    pub(crate) fn index_of(&self, seq: Seq) -> usize {
        self.batches.partition_point(|batch| batch.last_seq() < seq)
    }
}

/// The durable state of the channel.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) hard_state: HardState,
    /// The log from the very beginning on, also what was trimmed.
    pub(crate) log: Log,
    /// The position before the first batch that can still be read.
    pub(crate) start: LogPosition,
    pub(crate) hint: Seq,
    pub(crate) snapshot: Option<(Seq, Bytes)>,
}

impl Disk {
    pub(crate) fn new(origin: LogPosition) -> Self {
        let batches = Vec::new();
        Self {
            hard_state: HardState::INITIAL,
            log: Log { origin, batches },
            start: origin,
            hint: Seq::ZERO,
            snapshot: None,
        }
    }

    /// Makes writes durable. The store refuses those that contradict what it holds; an honest
    /// replica never issues one, whatever it was told.
    pub(crate) fn apply(&mut self, writes: &[LogWrite]) {
        for write in writes {
            match write {
                LogWrite::Append(batches) => self.log.append(batches),
                LogWrite::Truncate(at) => {
                    assert!(self.log.holds(*at), "truncated to {at:?}, not in the log");
                    assert!(at.seq >= self.start.seq, "truncated to what is trimmed");
                    self.log.cut(at.seq);
                }
                LogWrite::Begin(at) => {
                    panic!("it begins at {at:?}, which nobody can have shown it")
                }
                LogWrite::HardState(promise) => {
                    let before = self.hard_state.epoch_seen;
                    assert!(promise.epoch_seen >= before, "I4: a promise went back");
                    self.hard_state = *promise;
                }
                LogWrite::CommitHint(seq) => self.hint = self.hint.max(*seq),
            }
        }
    }

    /// Whole batches, the first of which holds `from`.
    pub(crate) fn read(&self, from: Seq, max_bytes: u32) -> Result<Vec<Batch>, LogReadFailure> {
        if from <= self.start.seq {
            return Err(LogReadFailure::Trimmed);
        }
        if from > self.log.tail().seq {
            return Err(LogReadFailure::BeyondTail);
        }
        let mut bytes = 0;
        let batches = self.log.batches[self.log.index_of(from)..].iter();
        let fitting = batches.take_while(|batch| {
            let is_first = bytes == 0;
            bytes += batch.size();
            is_first || bytes <= max_bytes as usize
        });
        Ok(fitting.cloned().collect())
    }

    /// What a start finds.
    pub(crate) fn recovered(&self) -> Recovered {
        Recovered {
            hard_state: self.hard_state,
            log_start: self.start,
            tail: self.log.tail(),
            epochs: self.epochs(),
            commit_hint: self.hint,
            snapshot: self.snapshot.clone(),
            damaged: false,
            reached: self.log.origin,
            releases: 0,
            forks: Vec::new(),
        }
    }

    /// Where the epochs begin, from the one on that holds the first batch which is still there.
    fn epochs(&self) -> Vec<EpochStart> {
        let mut epochs: Vec<EpochStart> = Vec::new();
        let mut before = self.log.origin.epoch;
        for batch in &self.log.batches {
            if batch.epoch() != before {
                if batch.base_seq() <= self.start.seq {
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
}
