//! What a store has promised, written without the store's help: plain lists of batches.

use std::collections::BTreeMap;

use bytes::Bytes;
use tetrarch_wire::{Batch, ChannelUid, EpochStart, HardState, LogPosition, Seq};

use crate::tests::{genesis, read_all};
use crate::{CrashDisk, OpenedStore, RecoveredChannel, WriteOp, WriteRequest};

/// A snapshot of producers.
pub(super) type Snapshot = Option<(Seq, Bytes)>;

/// What a channel was promised to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Promise {
    /// From the very beginning on, also what was trimmed.
    pub(super) log: Vec<Batch>,
    pub(super) hard_state: HardState,
    pub(super) hint: Seq,
    /// What may be gone.
    pub(super) trim: Seq,
}

pub(super) type Promises = BTreeMap<ChannelUid, Promise>;

/// Everything that was promised.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What was acknowledged.
    pub(super) acked: Promises,
    /// What the group that was on its way would make of it.
    pub(super) maybe: Option<Promises>,
    /// Where logs were seen to begin.
    pub(super) starts: BTreeMap<ChannelUid, Seq>,
    /// Which snapshots can be there; the first one was the last to be acknowledged.
    pub(super) producers: BTreeMap<ChannelUid, Vec<Snapshot>>,
}

impl Promise {
    fn new() -> Self {
        Self {
            log: Vec::new(),
            hard_state: HardState::INITIAL,
            hint: Seq::ZERO,
            trim: Seq::ZERO,
        }
    }

    /// The end of the log.
    pub(super) fn tail(&self) -> LogPosition {
        self.position(self.log.len())
    }

    /// The end of its first `count` batches.
    pub(super) fn position(&self, count: usize) -> LogPosition {
        match count.checked_sub(1) {
            Some(last) => self.log[last].position(),
            None => LogPosition::origin(genesis().genesis_link()),
        }
    }

    /// Where its epochs begin, as far as a log that begins after `start` must know.
    fn epochs(&self, start: Seq) -> Vec<EpochStart> {
        let mut epochs: Vec<EpochStart> = Vec::new();
        let mut before = self.position(0).epoch;
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
    pub(super) fn readable(&self, start: Seq) -> &[Batch] {
        let gone = self.log.partition_point(|batch| batch.base_seq() <= start);
        &self.log[gone..]
    }

    fn is_kept_by(&self, found: &RecoveredChannel, read: &[Batch]) -> bool {
        let start = found.log_start.seq;
        start <= self.trim
            && found.hard_state == self.hard_state
            && found.commit_hint == self.hint
            && found.tail == self.tail()
            && found.epochs == self.epochs(start)
            && read == self.readable(start)
    }
}

/// Follows a request.
pub(super) fn apply(promises: &mut Promises, request: &WriteRequest) {
    for op in &request.ops {
        if let WriteOp::Delete = op {
            promises.remove(&request.channel);
            continue;
        }
        let promise = promises.entry(request.channel).or_insert_with(Promise::new);
        match op {
            WriteOp::Append(batches) => promise.log.extend(batches.iter().cloned()),
            WriteOp::Truncate(at) => promise.log.retain(|batch| batch.last_seq() <= at.seq),
            WriteOp::HardState(state) => promise.hard_state = *state,
            WriteOp::CommitHint(seq) => promise.hint = promise.hint.max(*seq),
            WriteOp::Trim { upto } => promise.trim = promise.trim.max(*upto),
            WriteOp::Open { .. } | WriteOp::Delete => {}
        }
    }
}

impl Ledger {
    /// Holds a store that was just opened against what was promised; what it turned out to be is
    /// what it must stay.
    pub(super) fn settle(&mut self, store: &OpenedStore<CrashDisk>) {
        assert_eq!(store.lost, []);
        let found: Vec<(&RecoveredChannel, Vec<Batch>)> = store
            .channels
            .iter()
            .map(|found| {
                assert_eq!(found.halted, None, "{}", found.name);
                (found, read_all(&store.reader, found.channel))
            })
            .collect();
        match self.maybe.take() {
            Some(maybe) if keeps(&maybe, &found) => self.acked = maybe,
            maybe => assert!(
                keeps(&self.acked, &found),
                "found {}\nacked {}\nor {}",
                found
                    .iter()
                    .map(|(found, read)| in_short(found, read))
                    .collect::<String>(),
                briefly(&self.acked),
                maybe.as_ref().map(briefly).unwrap_or_default(),
            ),
        }
        self.settle_starts(store);
        self.settle_producers(store);
    }

    /// A log never begins earlier than it was seen to begin.
    fn settle_starts(&mut self, store: &OpenedStore<CrashDisk>) {
        let before = std::mem::take(&mut self.starts);
        for found in &store.channels {
            let start = found.log_start.seq;
            let seen = before.get(&found.channel).copied().unwrap_or(Seq::ZERO);
            assert!(seen <= start, "{}: {seen} came back to {start}", found.name);
            self.starts.insert(found.channel, start);
        }
    }

    fn settle_producers(&mut self, store: &OpenedStore<CrashDisk>) {
        let before = std::mem::take(&mut self.producers);
        for found in &store.channels {
            let possible = before.get(&found.channel).cloned().unwrap_or(vec![None]);
            assert!(
                possible.contains(&found.producers),
                "{}: found {:?}, not one of {possible:?}",
                found.name,
                found.producers
            );
            self.producers.insert(found.channel, possible);
        }
    }
}

fn keeps(promises: &Promises, found: &[(&RecoveredChannel, Vec<Batch>)]) -> bool {
    promises.len() == found.len()
        && found.iter().all(|(found, read)| {
            promises
                .get(&found.channel)
                .is_some_and(|promise| promise.is_kept_by(found, read))
        })
}

fn in_short(found: &RecoveredChannel, read: &[Batch]) -> String {
    format!(
        "\n  {}: {:?} to {:?}, {} batches, {:?}, hint {}, epochs {:?}",
        found.name,
        found.log_start,
        found.tail,
        read.len(),
        found.hard_state,
        found.commit_hint,
        found.epochs
    )
}

fn briefly(promises: &Promises) -> String {
    promises
        .iter()
        .map(|(uid, promise)| {
            format!(
                "\n  {uid}: to {:?}, {} batches, {:?}, hint {}, trim {}, epochs {:?}",
                promise.tail(),
                promise.log.len(),
                promise.hard_state,
                promise.hint,
                promise.trim,
                promise.epochs(promise.trim)
            )
        })
        .collect()
}
