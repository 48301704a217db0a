//! What the writer, the flusher and the readers of one store share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tetrarch_wire::{ChannelUid, ForkId, Seq, StoreId};

use crate::channel::{Channel, lock};
use crate::disk::{Disk, DiskError, Failure};
use crate::files::FileCache;
use crate::flusher::PageCache;
use crate::lsn::Lsn;
use crate::store::layout::Layout;
use crate::wal::files::WalFiles;
use crate::{ForkDamage, LogError, StoreOptions};

/// What is shared. No lock in here is held during a file operation.
#[derive(Debug)]
pub(crate) struct Shared<D: Disk> {
    pub(crate) disk: Arc<D>,
    pub(crate) layout: Layout,
    pub(crate) store: StoreId,
    pub(crate) options: StoreOptions,
    pub(crate) wal: WalFiles<D::File>,
    pub(crate) files: FileCache<D::File>,
    pub(crate) page_cache: PageCache<D::File>,
    channels: RwLock<BTreeMap<ChannelUid, Arc<Channel>>>,
    /// Channels whose checkpoint lacks records, by the first one or a number shortly before it,
    /// which may be that of a record of another channel.
    dirty: Mutex<BTreeMap<(Lsn, ChannelUid), Arc<Channel>>>,
    /// Channels that wait for a trim or their end.
    urgent: Mutex<Vec<Arc<Channel>>>,
    /// Segments that are known to be damaged, by their first seqs.
    damaged: Mutex<BTreeSet<(ChannelUid, Seq)>>,
    /// Forks that are known to be damaged.
    damaged_forks: Mutex<BTreeMap<(ChannelUid, ForkId), ForkDamage>>,
    pending_bytes: AtomicU64,
    poison: Mutex<Option<String>>,
    /// Work for the flusher, room for the writer.
    changed: Condvar,
    changes: Mutex<u64>,
    /// Held until the last part of the store is gone.
    pub(crate) _lock: D::Lock,
}

impl<D: Disk> Shared<D> {
    pub(crate) fn new(
        disk: Arc<D>,
        layout: Layout,
        store: StoreId,
        options: StoreOptions,
        held: D::Lock,
    ) -> Self {
        Self {
            files: FileCache::new(options.open_files_max),
            page_cache: PageCache::new(options.page_cache_bytes),
            wal: WalFiles::new(),
            channels: RwLock::new(BTreeMap::new()),
            dirty: Mutex::new(BTreeMap::new()),
            urgent: Mutex::new(Vec::new()),
            damaged: Mutex::new(BTreeSet::new()),
            damaged_forks: Mutex::new(BTreeMap::new()),
            pending_bytes: AtomicU64::new(0),
            poison: Mutex::new(None),
            changed: Condvar::new(),
            changes: Mutex::new(0),
            _lock: held,
            disk,
            layout,
            store,
            options,
        }
    }

    pub(crate) fn channel(&self, uid: ChannelUid) -> Option<Arc<Channel>> {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        channels.get(&uid).cloned()
    }

    pub(crate) fn channels(&self) -> Vec<Arc<Channel>> {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        channels.values().cloned().collect()
    }

    pub(crate) fn add_channel(&self, channel: Arc<Channel>) {
        let mut channels = self
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        channels.insert(channel.uid, channel);
    }

    pub(crate) fn remove_channel(&self, uid: ChannelUid) {
        let mut channels = self
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        channels.remove(&uid);
        drop(channels);
        lock(&self.damaged_forks).retain(|(of, _), _| *of != uid);
    }

    /// A record changed the channel.
    pub(crate) fn mark_dirty(&self, since: Lsn, channel: &Arc<Channel>) {
        lock(&self.dirty).insert((since, channel.uid), Arc::clone(channel));
    }

    /// The channel's checkpoint lacks nothing before `now` any more.
    pub(crate) fn mark_clean(&self, uid: ChannelUid, since: Lsn, now: Option<Lsn>) {
        let mut dirty = lock(&self.dirty);
        if let (Some(channel), Some(now)) = (dirty.remove(&(since, uid)), now) {
            dirty.insert((now, uid), channel);
        }
    }

    /// The first record that some channel's checkpoint lacks.
    pub(crate) fn oldest_dirty(&self) -> Option<Lsn> {
        lock(&self.dirty).keys().next().map(|(since, _)| *since)
    }

    /// Channels whose checkpoint lacks a record up to `upto`, the longest waiting first.
    pub(crate) fn dirty_upto(&self, upto: Lsn) -> Vec<Arc<Channel>> {
        lock(&self.dirty)
            .iter()
            .take_while(|((since, _), _)| *since <= upto)
            .map(|(_, channel)| Arc::clone(channel))
            .collect()
    }

    pub(crate) fn hurry(&self, channel: &Arc<Channel>) {
        lock(&self.urgent).push(Arc::clone(channel));
    }

    pub(crate) fn take_urgent(&self) -> Vec<Arc<Channel>> {
        std::mem::take(&mut lock(&self.urgent))
    }

    pub(crate) fn has_urgent(&self) -> bool {
        !lock(&self.urgent).is_empty()
    }

    /// A segment turned out to be damaged.
    pub(crate) fn note_damage(&self, uid: ChannelUid, base: Seq) {
        lock(&self.damaged).insert((uid, base));
    }

    /// It is damaged no more, or gone.
    pub(crate) fn forget_damage(&self, uid: ChannelUid, base: Seq) {
        lock(&self.damaged).remove(&(uid, base));
    }

    pub(crate) fn is_damaged(&self, uid: ChannelUid, base: Seq) -> bool {
        lock(&self.damaged).contains(&(uid, base))
    }

    pub(crate) fn damaged(&self) -> Vec<(ChannelUid, Seq)> {
        lock(&self.damaged).iter().copied().collect()
    }

    /// A fork turned out to be damaged. What was found first stays.
    pub(crate) fn note_fork_damage(&self, uid: ChannelUid, id: ForkId, damage: ForkDamage) {
        let mut damaged = lock(&self.damaged_forks);
        // A channel that is gone has none.
        if self.channel(uid).is_some() {
            damaged.entry((uid, id)).or_insert(damage);
        }
    }

    /// It was made anew, or dropped.
    pub(crate) fn forget_fork_damage(&self, uid: ChannelUid, id: ForkId) {
        lock(&self.damaged_forks).remove(&(uid, id));
    }

    pub(crate) fn fork_damage(&self, uid: ChannelUid, id: ForkId) -> Option<ForkDamage> {
        lock(&self.damaged_forks).get(&(uid, id)).cloned()
    }

    /// The forks of a channel, those included of which nothing can be read.
    pub(crate) fn fork_ids(&self, channel: &Channel) -> BTreeSet<ForkId> {
        let mut ids: BTreeSet<ForkId> = channel.forks().keys().copied().collect();
        let first = ForkId::from_bytes([0; ForkId::LEN]);
        let last = ForkId::from_bytes([u8::MAX; ForkId::LEN]);
        let damaged = lock(&self.damaged_forks);
        let of_channel = damaged.range((channel.uid, first)..=(channel.uid, last));
        ids.extend(of_channel.map(|((_, id), _)| *id));
        ids
    }

    pub(crate) fn damaged_forks(&self) -> Vec<(ChannelUid, ForkId, ForkDamage)> {
        let damaged = lock(&self.damaged_forks);
        let each = damaged
            .iter()
            .map(|((uid, id), damage)| (*uid, *id, damage.clone()));
        each.collect()
    }

    /// Bytes of batches that only the WAL and memory hold.
    pub(crate) fn pending_bytes(&self) -> u64 {
        self.pending_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add_pending(&self, bytes: u64) {
        self.pending_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn sub_pending(&self, bytes: u64) {
        self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The store is lost to this process.
    pub(crate) fn poison(&self, reason: &impl ToString) {
        lock(&self.poison).get_or_insert_with(|| reason.to_string());
        self.announce();
    }

    pub(crate) fn poisoned(&self) -> Option<String> {
        lock(&self.poison).clone()
    }

    pub(crate) fn check_poison(&self) -> Result<(), LogError> {
        match self.poisoned() {
            Some(reason) => Err(LogError::Poisoned { reason }),
            None => Ok(()),
        }
    }

    /// A fatal error of the disk is fatal for every part of the store.
    pub(crate) fn poison_if_fatal(&self, error: DiskError) -> LogError {
        if error.failure == Failure::Fatal {
            self.poison(&error);
        }
        LogError::Disk(error)
    }

    /// Wakes whoever waits for work or for room.
    pub(crate) fn announce(&self) {
        *lock(&self.changes) += 1;
        self.changed.notify_all();
    }

    /// Waits until `ready`, for at most about `timeout`; says whether it is.
    pub(crate) fn wait(&self, timeout: Duration, ready: impl Fn() -> bool) -> bool {
        let mut changes = lock(&self.changes);
        if ready() {
            return true;
        }
        let before = *changes;
        while *changes == before {
            let (guard, result) = self
                .changed
                .wait_timeout(changes, timeout)
                .unwrap_or_else(PoisonError::into_inner);
            changes = guard;
            if result.timed_out() {
                break;
            }
        }
        drop(changes);
        ready()
    }
}
