//! What a store has promised, written without the store's help: plain lists of batches. A store that
//! is opened must be explained by it.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use tetrarch_wire::{Batch, Boot, ChannelUid, LogPosition, Seq};

use super::batches::{genesis, read_on};
use super::forks::Forks;
use crate::reference::Reference;
use crate::{CrashDisk, OpenedStore, RecoveredChannel, WriteOp, WriteRequest};

/// A snapshot.
pub(crate) type Snapshot = Option<(Seq, Bytes)>;

/// What a channel was promised to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Promise {
    pub(crate) channel: Reference,
    /// Durable bytes of it have been changed from outside: it must be in limbo, and stay so.
    pub(crate) is_damaged: bool,
}

pub(crate) type Promises = BTreeMap<ChannelUid, Promise>;

/// A channel, and how often the store had let go of it: what was seen of one holding says nothing of the
/// next.
pub(crate) type Holding = (ChannelUid, u64);

/// Which holding of the channel is promised.
pub(crate) fn holding(promises: &Promises, uid: ChannelUid) -> Holding {
    let releases = promises.get(&uid).map(|promise| promise.channel.releases);
    (uid, releases.unwrap_or(0))
}

/// Everything that was promised.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// What was acknowledged.
    pub(crate) acked: Promises,
    /// What the group that was on its way would make of it.
    pub(crate) maybe: Option<Promises>,
    /// Where logs were seen to begin.
    pub(crate) starts: BTreeMap<Holding, Seq>,
    /// Which snapshots can be there; the first one was the last to be acknowledged.
    pub(crate) snapshots: BTreeMap<Holding, Vec<Snapshot>>,
    /// What was cut off logs.
    pub(crate) forks: Forks,
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
            channel: Reference::new(LogPosition::origin(genesis().genesis_link())),
            is_damaged: false,
        }
    }

    fn is_kept_by(&self, found: &RecoveredChannel, read: &[Batch]) -> bool {
        let start = found.log_start.seq;
        let channel = &self.channel;
        let begins = channel.beginning().seq..=channel.trim.max(channel.beginning().seq);
        if !begins.contains(&start) || found.halted.is_some() {
            return false;
        }
        let holding = (found.is_held, found.reached, found.releases);
        if holding != (channel.is_held, channel.reached, channel.releases) {
            return false;
        }
        if self.is_damaged {
            // Each start that is interrupted enters it once more.
            let promised = channel.hard_state;
            let forgotten = u64::from(promised.limbo.is_none());
            return found.hard_state.limbo.is_some()
                && found.hard_state.epoch_seen.n >= promised.epoch_seen.n + forgotten
                && channel.readable(start).starts_with(read);
        }
        found.hard_state == channel.hard_state
            && found.commit_hint == channel.hint
            && found.tail == channel.tail()
            && found.epochs == channel.epochs(start)
            && read == channel.readable(start)
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
        promise.channel.follow(op);
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
        self.forks.explain(store);
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
            self.maybe
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), briefly),
        );
        self.check_starts(promises, &channels);
        self.check_snapshot(promises, &channels);
        let mut promises = promises.clone();
        for (found, _) in &channels {
            if let Some(promise) = promises.get_mut(&found.channel)
                && promise.is_damaged
            {
                promise.channel.hard_state = found.hard_state;
            }
        }
        Found {
            promises,
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
        self.forks.settle(store);
        let before = std::mem::take(&mut self.snapshots);
        for (found, _) in &found.channels {
            let holding = holding(&self.acked, found.channel);
            self.starts.insert(holding, found.log_start.seq);
            let possible = before.get(&holding).cloned().unwrap_or(vec![None]);
            self.snapshots.insert(holding, possible);
        }
        found
    }

    /// All of it in one number.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let short = |promises: &Promises| {
            let each = promises.iter().map(|(uid, promise)| {
                let Promise {
                    channel,
                    is_damaged,
                } = promise;
                let end = (channel.log.len(), channel.tail());
                let told = (channel.hard_state, channel.hint, channel.trim);
                let held = (channel.is_held, channel.reached, channel.releases);
                format!("{uid} {end:?} {told:?} {held:?} {is_damaged}")
            });
            each.collect::<Vec<String>>()
        };
        short(&self.acked).hash(&mut hasher);
        self.maybe.as_ref().map(short).hash(&mut hasher);
        format!("{:?} {:?}", self.starts, self.snapshots).hash(&mut hasher);
        self.forks.digest().hash(&mut hasher);
        (self.is_formatted, self.boot.map(Boot::get)).hash(&mut hasher);
        hasher.finish()
    }

    /// A log never begins earlier than it was seen to begin.
    fn check_starts(&self, promises: &Promises, channels: &[(RecoveredChannel, Vec<Batch>)]) {
        for (found, _) in channels {
            let start = found.log_start.seq;
            let seen = self.starts.get(&holding(promises, found.channel)).copied();
            let seen = seen.unwrap_or(Seq::ZERO);
            assert!(seen <= start, "{}: {seen} came back to {start}", found.name);
        }
    }

    fn check_snapshot(&self, promises: &Promises, channels: &[(RecoveredChannel, Vec<Batch>)]) {
        for (found, _) in channels {
            let known = self.snapshots.get(&holding(promises, found.channel));
            let is_possible = match known {
                Some(possible) => possible.contains(&found.snapshot),
                None => found.snapshot.is_none(),
            };
            assert!(
                is_possible,
                "{}: found {:?}, not one of {known:?}",
                found.name, found.snapshot
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
        "\n  {}: {:?} to {:?}, {} batches, {:?}, hint {}, epochs {:?}, halted {:?}, held {}, reached {:?}",
        found.name,
        found.log_start,
        found.tail,
        read.len(),
        found.hard_state,
        found.commit_hint,
        found.epochs,
        found.halted,
        found.is_held,
        found.reached
    )
}

fn briefly(promises: &Promises) -> String {
    promises
        .iter()
        .map(|(uid, promise)| {
            let channel = &promise.channel;
            format!(
                "\n  {uid}: to {:?}, {} batches, {:?}, hint {}, trim {}, epochs {:?}, held {}, reached {:?}{}",
                channel.tail(),
                channel.log.len(),
                channel.hard_state,
                channel.hint,
                channel.trim,
                channel.epochs(channel.trim),
                channel.is_held,
                channel.reached,
                if promise.is_damaged { ", damaged" } else { "" }
            )
        })
        .collect()
}
