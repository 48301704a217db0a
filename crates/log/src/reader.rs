//! The reader: whole batches of what is durable, from memory while they wait for the flusher and
//! from segments after that.

use std::sync::Arc;

use tetrarch_wire::{Batch, ChannelUid, ForkId, HardState, LogPosition, Retention, Seq};

use crate::channel::{Channel, View};
use crate::disk::{Disk, Failure, FreeSpace};
use crate::segment::{self, Range, Segment, SegmentFault};
use crate::shared::Shared;
use crate::store::open::{RecoveredChannel, describe};
use crate::{
    ChannelStats, Damage, ForkDamage, ForkReadError, ForkSummary, LogError, ReadError, StoreStats,
    fork, retention,
};

/// How often a read starts anew because the segments changed under it.
const ATTEMPTS: usize = 8;

/// Reads what is durable. Cloning it is cheap; any thread may read.
#[derive(Debug)]
pub struct Reader<D: Disk> {
    shared: Arc<Shared<D>>,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOut {
    /// Whole batches, in order; the first one holds the seq that was asked for.
    pub batches: Vec<Batch>,
    /// The position before the first event that is kept.
    pub log_start: LogPosition,
}

/// Whether a store holds a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It never did, as far as it knows.
    Never,
    /// It does.
    Held {
        /// How often it has let go of it.
        releases: u64,
    },
    /// It did, and has let go of it. What it has promised is left.
    Released {
        /// The election promise.
        hard_state: HardState,
        /// How far the log went, by rank.
        reached: LogPosition,
        /// How often the store has let go of it.
        releases: u64,
        /// Why it took no appends any more, if it was damaged. Nobody knows what it has promised then.
        halted: Option<Damage>,
    },
}

impl Holding {
    /// How often the store has let go of the channel.
    #[must_use]
    pub const fn releases(&self) -> u64 {
        match self {
            Self::Never => 0,
            Self::Held { releases } | Self::Released { releases, .. } => *releases,
        }
    }

    /// Whether the store has let go of the channel so often, and does not hold it now.
    #[must_use]
    pub fn is_released(&self, releases: u64) -> bool {
        matches!(self, Self::Released { .. }) && self.releases() >= releases
    }
}

/// Where a seq was found.
enum Place {
    Memory(Vec<Batch>),
    Segment {
        segment: Segment,
        upto: Seq,
        generation: u64,
    },
}

impl<D: Disk> Clone for Reader<D> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<D: Disk> Reader<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>) -> Self {
        Self { shared }
    }

    /// Reads whole batches, beginning with the one that holds `from`, up to about `max_bytes`; at
    /// least one. Bytes from a segment pass their checksums and the chain of links on every read.
    /// The answer may end before `max_bytes` where the log goes on in another file.
    ///
    /// # Errors
    /// If the range is not there, damaged, or cannot be read now.
    pub fn read(
        &self,
        channel: ChannelUid,
        from: Seq,
        max_bytes: usize,
    ) -> Result<ReadOut, ReadError> {
        let found = self.shared.channel(channel);
        let channel = found.ok_or(ReadError::UnknownChannel)?;
        read(&self.shared, &channel, from, max_bytes)
    }

    /// The last seq that `retention` would let go: that of the last of the sealed segments, from
    /// the oldest on, which are all too old or too much at the time `now_ms`. `None` if there is
    /// nothing to drop.
    #[must_use]
    pub fn retention_candidate(
        &self,
        channel: ChannelUid,
        retention: &Retention,
        now_ms: u64,
    ) -> Option<Seq> {
        let channel = self.shared.channel(channel)?;
        if channel.is_protected() {
            return None;
        }
        let view = channel.view();
        let records: Vec<_> = view.segments.iter().map(|segment| segment.record).collect();
        let pending = view.pending_bytes();
        let tail = view.tail.seq;
        drop(view);
        retention::candidate(&records, pending, tail, retention, now_ms)
    }

    /// The durable end of the log.
    #[must_use]
    pub fn tail(&self, channel: ChannelUid) -> Option<LogPosition> {
        Some(self.shared.channel(channel)?.view().tail)
    }

    /// The position before the first event that is kept.
    #[must_use]
    pub fn log_start(&self, channel: ChannelUid) -> Option<LogPosition> {
        Some(self.shared.channel(channel)?.view().log_start)
    }

    /// The segments that are known to be damaged, by their channels and first seqs.
    #[must_use]
    pub fn damaged(&self) -> Vec<(ChannelUid, Seq)> {
        self.shared.damaged()
    }

    /// The forks that were cut off a channel's log; not those of which not even the description can be
    /// read ([`Self::damaged_forks`]). At most [`tetrarch_wire::limits::MAX_FORKS`] are made.
    #[must_use]
    pub fn forks(&self, channel: ChannelUid) -> Vec<ForkSummary> {
        let Some(channel) = self.shared.channel(channel) else {
            return Vec::new();
        };
        let forks = channel.forks();
        forks.values().map(|fork| fork.summary.clone()).collect()
    }

    /// Reads whole batches of a fork, beginning with the one that holds `from`, up to about `max_bytes`;
    /// at least one. Their bytes pass their checksums and the chain of links on every read. What is
    /// found wrong is known from then on ([`Self::damaged_forks`]), also what is wrong with the
    /// description, which is looked at when the fork is read from its beginning.
    ///
    /// # Errors
    /// If there is no such fork, it does not hold `from`, is damaged there, or cannot be read now.
    pub fn read_fork(
        &self,
        channel: ChannelUid,
        fork: ForkId,
        from: Seq,
        max_bytes: usize,
    ) -> Result<Vec<Batch>, ForkReadError> {
        let found = self.shared.channel(channel);
        let channel = found.ok_or(ForkReadError::UnknownChannel)?;
        fork::read(&self.shared, &channel, fork, from, max_bytes)
    }

    /// The forks that are known to be damaged, and what is wrong with each.
    #[must_use]
    pub fn damaged_forks(&self) -> Vec<(ChannelUid, ForkId, ForkDamage)> {
        self.shared.damaged_forks()
    }

    /// The channels that are open.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelUid> {
        self.with_holding(true)
    }

    /// The channels that the store has let go of, and of which it keeps what it has promised.
    #[must_use]
    pub fn released(&self) -> Vec<ChannelUid> {
        self.with_holding(false)
    }

    /// Whether the store holds a channel. Reads no file.
    #[must_use]
    pub fn holding(&self, channel: ChannelUid) -> Holding {
        let Some(channel) = self.shared.channel(channel) else {
            return Holding::Never;
        };
        let view = channel.view();
        if !view.is_released {
            let releases = view.releases;
            return Holding::Held { releases };
        }
        Holding::Released {
            hard_state: view.hard_state,
            reached: view.reached,
            releases: view.releases,
            halted: view.halted.clone(),
        }
    }

    fn with_holding(&self, is_held: bool) -> Vec<ChannelUid> {
        let channels = self.shared.channels().into_iter();
        let wanted = channels.filter(|channel| channel.view().is_released != is_held);
        wanted.map(|channel| channel.uid).collect()
    }

    /// First and last seq of each segment of a channel, oldest first; empty segments are left out.
    #[must_use]
    pub fn segments(&self, channel: ChannelUid) -> Vec<(Seq, Seq)> {
        let Some(channel) = self.shared.channel(channel) else {
            return Vec::new();
        };
        let view = channel.view();
        let segments = view.segments.iter().filter(|segment| !segment.is_empty());
        segments
            .map(|segment| (segment.base(), segment.record.end.seq))
            .collect()
    }

    /// A channel as a start would find it now; `None` if it is not open.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn recovered(&self, channel: ChannelUid) -> Result<Option<RecoveredChannel>, LogError> {
        let found = self.shared.channel(channel);
        found
            .map(|found| describe(&self.shared, &found))
            .transpose()
    }

    /// Figures of one channel.
    #[must_use]
    pub fn channel_stats(&self, channel: ChannelUid) -> Option<ChannelStats> {
        let channel = self.shared.channel(channel)?;
        Some(ChannelStats::of(&channel))
    }

    /// Figures of the whole store.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        StoreStats::of(&self.shared)
    }

    /// Room on the filesystem of the store.
    ///
    /// # Errors
    /// If the disk does not say.
    pub fn free_space(&self) -> Result<FreeSpace, LogError> {
        Ok(self.shared.disk.free_space(self.shared.layout.root())?)
    }
}

pub(crate) fn read<D: Disk>(
    shared: &Shared<D>,
    channel: &Arc<Channel>,
    from: Seq,
    max_bytes: usize,
) -> Result<ReadOut, ReadError> {
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        let view = channel.view();
        let log_start = view.log_start;
        let place = locate(&view, from, max_bytes)?;
        drop(view);
        let (segment, upto, generation) = match place {
            Place::Memory(batches) => return Ok(ReadOut { batches, log_start }),
            Place::Segment {
                segment,
                upto,
                generation,
            } => (segment, upto, generation),
        };
        let range = Range {
            from,
            upto,
            max_bytes,
            interval: shared.options.index_interval_bytes,
        };
        match read_segment(shared, channel, &segment, range) {
            Ok(batches) => return Ok(ReadOut { batches, log_start }),
            // A truncation or trim may have come between the look and the read.
            Err(_) if attempts > 0 && channel.view().generation != generation => {}
            Err(SegmentFault::Damage(rot)) => {
                shared.note_damage(channel.uid, segment.base());
                return Err(ReadError::Damaged(rot.into()));
            }
            Err(SegmentFault::Disk(error)) if error.is_missing() => {
                shared.note_damage(channel.uid, segment.base());
                let after = segment.record.previous.seq;
                return Err(ReadError::Damaged(Damage::SegmentMissing { after }));
            }
            Err(SegmentFault::Disk(error)) => return Err(ReadError::Transient(error)),
        }
    }
}

/// Whether the log has a batch that ends exactly at `at`, or begins there.
pub(crate) fn holds<D: Disk>(
    shared: &Shared<D>,
    channel: &Arc<Channel>,
    at: LogPosition,
) -> Result<bool, ReadError> {
    let view = channel.view();
    if at == view.log_start || at == view.tail {
        return Ok(true);
    }
    drop(view);
    match read(shared, channel, at.seq, 1) {
        Ok(out) => Ok(out
            .batches
            .first()
            .is_some_and(|batch| batch.position() == at)),
        Err(ReadError::Trimmed { .. } | ReadError::BeyondTail { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn locate(view: &View, from: Seq, max_bytes: usize) -> Result<Place, ReadError> {
    let from = from.max(Seq::FIRST);
    if from <= view.log_start.seq {
        return Err(ReadError::Trimmed {
            log_start: view.log_start,
        });
    }
    if from > view.tail.seq {
        return Err(ReadError::BeyondTail { tail: view.tail });
    }
    if from > view.flushed.seq {
        let batches = from_memory(view, from, max_bytes);
        return match &view.halted {
            Some(damage) if batches.is_empty() => Err(ReadError::Corrupt(damage.clone())),
            _ => Ok(Place::Memory(batches)),
        };
    }
    let after = view
        .segments
        .partition_point(|segment| segment.record.previous.seq < from);
    let segment = view.segments[..after].last().cloned();
    let segment = segment.ok_or(ReadError::Trimmed {
        log_start: view.log_start,
    })?;
    Ok(Place::Segment {
        upto: view.flushed.seq.min(segment.record.end.seq),
        generation: view.generation,
        segment,
    })
}

fn from_memory(view: &View, from: Seq, max_bytes: usize) -> Vec<Batch> {
    let pending = view.pending();
    let first = pending.partition_point(|batch| batch.last_seq() < from);
    let mut bytes = 0;
    pending
        .range(first..)
        .take_while(|batch| {
            let fits = bytes == 0 || bytes + batch.size() <= max_bytes;
            bytes += batch.size();
            fits
        })
        .cloned()
        .collect()
}

fn read_segment<D: Disk>(
    shared: &Shared<D>,
    channel: &Channel,
    segment: &Segment,
    range: Range,
) -> Result<Vec<Batch>, SegmentFault> {
    let path = shared.layout.segment(channel.uid, segment.base());
    let file = shared
        .files
        .get(&*shared.disk, &path)
        .map_err(SegmentFault::Disk)?;
    if segment.index.len() == 1 && range.from > segment.base() {
        let index = shared.layout.index(channel.uid, segment.base());
        match segment::index::load(&*shared.disk, &index, segment) {
            // The index only saves time.
            Ok(()) => {}
            Err(error) if error.failure == Failure::Corrupt => {}
            Err(error) => return Err(SegmentFault::Disk(error)),
        }
    }
    let known = segment.index.len();
    match segment::read_batches(segment, &*file, range) {
        // An index that is not this segment's must not make good bytes look bad.
        Err(SegmentFault::Damage(_)) if known > 1 => {
            segment.index.forget();
            segment::read_batches(segment, &*file, range)
        }
        other => other,
    }
}
