//! The forks that a store has promised to keep, and what must be in a log or in one of them.

use std::collections::BTreeMap;

use tetrarch_wire::{Batch, ChannelUid, ForkId, LogPosition};

use super::batches::{read_fork_on, read_on};
use super::promise::Promises;
use crate::{CrashDisk, OpenedStore, Reader};

/// What was given to be sealed.
#[derive(Clone, Debug)]
struct Fork {
    batches: Vec<Batch>,
    /// It was reported durable, and nobody has asked to drop it since; else it may be there or not.
    is_durable: bool,
}

/// All forks of all channels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forks {
    given: BTreeMap<(ChannelUid, ForkId), Fork>,
    /// Every batch of these channels that was ever acknowledged.
    never_lost: BTreeMap<ChannelUid, Vec<Batch>>,
}

impl Forks {
    /// The log of this channel is about to be sealed from a position on.
    pub(crate) fn begin(
        &mut self,
        channel: ChannelUid,
        base: LogPosition,
        batches: &[Batch],
    ) -> ForkId {
        let last = batches.last().expect("there is something to seal");
        let id = ForkId::derive(channel, base.link, last.link());
        self.given.entry((channel, id)).or_insert(Fork {
            batches: batches.to_vec(),
            is_durable: false,
        });
        id
    }

    /// It was reported durable.
    pub(crate) fn keep(&mut self, channel: ChannelUid, id: ForkId) {
        let fork = self.given.get_mut(&(channel, id));
        fork.expect("it was given").is_durable = true;
    }

    /// It is about to be dropped.
    pub(crate) fn begin_drop(&mut self, channel: ChannelUid, id: ForkId) {
        let fork = self.given.get_mut(&(channel, id));
        fork.expect("it was given").is_durable = false;
    }

    /// It was reported dropped.
    pub(crate) fn dropped(&mut self, channel: ChannelUid, id: ForkId) {
        self.given.remove(&(channel, id));
    }

    /// From now on nothing that is acknowledged to this channel may be in no log and in no fork.
    pub(crate) fn lose_nothing_of(&mut self, channel: ChannelUid) {
        self.never_lost.insert(channel, Vec::new());
    }

    /// So much was acknowledged.
    pub(crate) fn acknowledged(&mut self, acked: &Promises) {
        for (uid, batches) in &mut self.never_lost {
            let log = acked
                .get(uid)
                .map_or(&[][..], |promise| &promise.channel.log[..]);
            for batch in log {
                if !batches.contains(batch) {
                    batches.push(batch.clone());
                }
            }
        }
    }

    /// Holds a store that was just opened against what was promised.
    pub(crate) fn explain(&self, store: &OpenedStore<CrashDisk>) {
        assert_eq!(store.reader.damaged_forks(), []);
        for found in &store.channels {
            let uid = found.channel;
            let forks = self.found(&store.reader, uid);
            for ((of, id), fork) in &self.given {
                let is_there = forks.contains_key(id);
                let is_missing = *of == uid && fork.is_durable && !is_there;
                assert!(!is_missing, "{}: fork {id} is gone", found.name);
            }
            let Some(owed) = self.never_lost.get(&uid) else {
                continue;
            };
            let (log, refused) = read_on(&store.reader, uid);
            assert!(refused.is_none(), "{}: {refused:?}", found.name);
            for batch in owed {
                let is_kept = log.contains(batch) || forks.values().any(|one| one.contains(batch));
                assert!(
                    is_kept,
                    "{}: {batch:?} is in no log and no fork",
                    found.name
                );
            }
        }
    }

    /// What a start has shown stays.
    pub(crate) fn settle(&mut self, store: &OpenedStore<CrashDisk>) {
        for ((uid, id), fork) in &mut self.given {
            let forks = store.reader.forks(*uid);
            fork.is_durable |= forks.iter().any(|found| found.id == *id);
        }
    }

    /// Whether everything that must be there can be read.
    pub(crate) fn are_whole(&self, reader: &Reader<CrashDisk>) -> bool {
        self.given.iter().all(|((uid, id), fork)| {
            let forks = reader.forks(*uid);
            let found = forks.iter().find(|found| found.id == *id);
            let read = found.map(|found| read_fork_on(reader, *uid, found).0);
            !fork.is_durable || read.is_some_and(|read| read == fork.batches)
        })
    }

    /// A fork of which something is missing is known to be damaged; what it gives is right.
    pub(crate) fn check_damaged(&self, reader: &Reader<CrashDisk>, uid: ChannelUid) {
        let of_channel = |(key, fork): (&(ChannelUid, ForkId), &Fork)| {
            (key.0 == uid && fork.is_durable).then(|| (key.1, fork.batches.clone()))
        };
        for (id, right) in self.given.iter().filter_map(of_channel) {
            let forks = reader.forks(uid);
            let read = match forks.iter().find(|found| found.id == id) {
                Some(found) => read_fork_on(reader, uid, found).0,
                None => Vec::new(),
            };
            assert!(
                right.starts_with(&read),
                "{uid}: wrong batches in fork {id}"
            );
            let damaged = reader.damaged_forks();
            let is_known = damaged
                .iter()
                .any(|(of, fork, _)| (*of, *fork) == (uid, id));
            assert!(
                read == right || is_known,
                "{uid}: a loss in fork {id} is hidden"
            );
        }
    }

    /// All of it in words.
    pub(crate) fn digest(&self) -> String {
        let given = self.given.iter();
        let given = given.map(|((uid, id), fork)| format!("{uid} {id} {}", fork.is_durable));
        let owed = self.never_lost.values().map(Vec::len);
        format!(
            "{:?} {:?}",
            given.collect::<Vec<String>>(),
            owed.collect::<Vec<usize>>()
        )
    }

    /// The forks of a channel with their batches. Each is one that was given.
    fn found(&self, reader: &Reader<CrashDisk>, uid: ChannelUid) -> BTreeMap<ForkId, Vec<Batch>> {
        let forks = reader.forks(uid).into_iter().map(|found| {
            let (read, refused) = read_fork_on(reader, uid, &found);
            assert!(refused.is_none(), "fork {}: {refused:?}", found.id);
            let given = self.given.get(&(uid, found.id));
            let given = given.unwrap_or_else(|| panic!("nobody gave fork {}", found.id));
            assert_eq!(read, given.batches, "fork {}", found.id);
            let bytes: usize = read.iter().map(Batch::size).sum();
            assert_eq!(found.bytes, bytes as u64);
            assert_eq!(found.events, read.len() as u64);
            (found.id, read)
        });
        forks.collect()
    }
}
