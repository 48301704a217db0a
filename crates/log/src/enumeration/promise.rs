//! What a store has promised, written without the store's help: plain lists of batches. A store that
//! is opened must be explained by it.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use tetrarch_wire::{Batch, Boot, ChannelUid, EpochStart, HardState, LogPosition, Seq};

use super::batches::{genesis, read_on};
use crate::{CrashDisk, OpenedStore, RecoveredChannel, WriteOp, WriteRequest};

/// A snapshot of producers.
pub(crate) type Snapshot = Option<(Seq, Bytes)>;

/// What a channel was promised to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Promise {
    /// From the very beginning on, also what was trimmed.
    pub(crate) log: Vec<Batch>,
    pub(crate) hard_state: HardState,
    pub(crate) hint: Seq,
    /// What may be gone.
    pub(crate) trim: Seq,
    /// Durable bytes of it have been changed from outside: it must be halted, and stay so.
    pub(crate) is_damaged: bool,
}

pub(crate) type Promises = BTreeMap<ChannelUid, Promise>;

/// Everything that was promised.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// What was acknowledged.
    pub(crate) acked: Promises,
    /// What the group that was on its way would make of it.
    pub(crate) maybe: Option<Promises>,
    /// Where logs were seen to begin.
    pub(crate) starts: BTreeMap<ChannelUid, Seq>,
    /// Which snapshots can be there; the first one was the last to be acknowledged.
    pub(crate) producers: BTreeMap<ChannelUid, Vec<Snapshot>>,
    /// Channels that were damaged from outside so far that nothing can be read of them.
    pub(crate) lost: BTreeSet<ChannelUid>,
    /// Formatting was reported as done.
    pub(crate) is_formatted: bool,
    /// The last start that was reported as done, if any was.
    pub(crate) boot: Option<Boot>,
}

/// A store as it was found, and what explains it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) channels: Vec<(RecoveredChannel, Vec<Batch>)>,
    pub(crate) promises: Promises,
    /// What was on its way is there.
    pub(crate) is_more: bool,
}

impl Promise {
    fn new() -> Self {
        Self {
            log: Vec::new(),
            hard_state: HardState::INITIAL,
            hint: Seq::ZERO,
            trim: Seq::ZERO,
            is_damaged: false,
        }
    }

    /// The end of the log.
    pub(crate) fn tail(&self) -> LogPosition {
        self.position(self.log.len())
    }

    /// The end of its first `count` batches.
    pub(crate) fn position(&self, count: usize) -> LogPosition {
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
    pub(crate) fn readable(&self, start: Seq) -> &[Batch] {
        let gone = self.log.partition_point(|batch| batch.base_seq() <= start);
        &self.log[gone..]
    }

    fn is_kept_by(&self, found: &RecoveredChannel, read: &[Batch]) -> bool {
        let start = found.log_start.seq;
        if start > self.trim || found.hard_state != self.hard_state {
            return false;
        }
        if self.is_damaged {
            return found.halted.is_some() && self.readable(start).starts_with(read);
        }
        found.halted.is_none()
            && found.commit_hint == self.hint
            && found.tail == self.tail()
            && found.epochs == self.epochs(start)
            && read == self.readable(start)
    }
}

/// Follows a request.
pub(crate) fn apply(promises: &mut Promises, request: &WriteRequest) {
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
    /// Holds a store that was just opened against what was promised.
    pub(crate) fn explain(&self, store: &OpenedStore<CrashDisk>) -> Found {
        let lost: BTreeSet<ChannelUid> = store.lost.iter().map(|(uid, _)| *uid).collect();
        assert_eq!(lost, self.lost);
        let is_later = self.boot.is_none_or(|boot| store.boot > boot);
        assert!(is_later, "boot {} after {:?}", store.boot.get(), self.boot);
        let channels: Vec<(RecoveredChannel, Vec<Batch>)> = store
            .channels
            .iter()
            .map(|found| {
                let (read, refused) = read_on(&store.reader, found.channel);
                let is_fine = refused.is_none() || found.halted.is_some();
                assert!(is_fine, "{}: {refused:?}", found.name);
                (found.clone(), read)
            })
            .collect();
        self.check_starts(&channels);
        self.check_producers(&channels);
        let (promises, is_more) = match &self.maybe {
            Some(maybe) if keeps(maybe, &channels) => (maybe, true),
            _ => (&self.acked, false),
        };
        assert!(
            is_more || keeps(promises, &channels),
            "found {}\nacked {}\nor {}",
            channels
                .iter()
                .map(|(found, read)| in_short(found, read))
                .collect::<String>(),
            briefly(&self.acked),
            self.maybe.as_ref().map(briefly).unwrap_or_default(),
        );
        Found {
            promises: promises.clone(),
            channels,
            is_more,
        }
    }

    /// The same, and what it turned out to be is what it must stay.
    pub(crate) fn settle(&mut self, store: &OpenedStore<CrashDisk>) -> Found {
        let found = self.explain(store);
        self.acked.clone_from(&found.promises);
        self.maybe = None;
        self.boot = Some(store.boot);
        self.starts = BTreeMap::new();
        let before = std::mem::take(&mut self.producers);
        for (found, _) in &found.channels {
            self.starts.insert(found.channel, found.log_start.seq);
            let possible = before.get(&found.channel).cloned().unwrap_or(vec![None]);
            self.producers.insert(found.channel, possible);
        }
        found
    }

    /// All of it in one number.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let short = |promises: &Promises| {
            let each = promises.iter().map(|(uid, promise)| {
                let Promise {
                    log,
                    hard_state,
                    hint,
                    trim,
                    is_damaged,
                } = promise;
                let end = (log.len(), promise.tail());
                format!("{uid} {end:?} {hard_state:?} {hint} {trim} {is_damaged}")
            });
            each.collect::<Vec<String>>()
        };
        short(&self.acked).hash(&mut hasher);
        self.maybe.as_ref().map(short).hash(&mut hasher);
        format!("{:?} {:?}", self.starts, self.producers).hash(&mut hasher);
        (self.is_formatted, self.boot.map(Boot::get)).hash(&mut hasher);
        hasher.finish()
    }

    /// A log never begins earlier than it was seen to begin.
    fn check_starts(&self, channels: &[(RecoveredChannel, Vec<Batch>)]) {
        for (found, _) in channels {
            let start = found.log_start.seq;
            let seen = self.starts.get(&found.channel).copied();
            let seen = seen.unwrap_or(Seq::ZERO);
            assert!(seen <= start, "{}: {seen} came back to {start}", found.name);
        }
    }

    fn check_producers(&self, channels: &[(RecoveredChannel, Vec<Batch>)]) {
        for (found, _) in channels {
            let known = self.producers.get(&found.channel);
            let is_possible = match known {
                Some(possible) => possible.contains(&found.producers),
                None => found.producers.is_none(),
            };
            assert!(
                is_possible,
                "{}: found {:?}, not one of {known:?}",
                found.name, found.producers
            );
        }
    }
}

fn keeps(promises: &Promises, found: &[(RecoveredChannel, Vec<Batch>)]) -> bool {
    promises.len() == found.len()
        && found.iter().all(|(found, read)| {
            promises
                .get(&found.channel)
                .is_some_and(|promise| promise.is_kept_by(found, read))
        })
}

fn in_short(found: &RecoveredChannel, read: &[Batch]) -> String {
    format!(
        "\n  {}: {:?} to {:?}, {} batches, {:?}, hint {}, epochs {:?}, halted {:?}",
        found.name,
        found.log_start,
        found.tail,
        read.len(),
        found.hard_state,
        found.commit_hint,
        found.epochs,
        found.halted
    )
}

fn briefly(promises: &Promises) -> String {
    promises
        .iter()
        .map(|(uid, promise)| {
            format!(
                "\n  {uid}: to {:?}, {} batches, {:?}, hint {}, trim {}, epochs {:?}{}",
                promise.tail(),
                promise.log.len(),
                promise.hard_state,
                promise.hint,
                promise.trim,
                promise.epochs(promise.trim),
                if promise.is_damaged { ", damaged" } else { "" }
            )
        })
        .collect()
}
