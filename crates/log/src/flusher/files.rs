//! The files of one channel, as the flusher changes them.
//!
//! The order of every change is chosen so that the last checkpoint stays true until the next one:
//! files only grow behind what it counts; what it counts is cut or removed only after a
//! checkpoint that does not count it any more is durable.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Batch, EpochStart, Link, LogPosition, Seq};

use super::removal::{create_afresh, remove_if_there, remove_segments};
use super::{deleted, snapshot};
use crate::Damage;
use crate::channel::state::{ChannelState, SegmentRecord};
use crate::channel::{Channel, Cut, Work};
use crate::disk::{Disk, DiskError, DiskFile};
use crate::lsn::Lsn;
use crate::segment::index::{self, IndexEntry};
use crate::segment::{Segment, SegmentFault, SegmentHeader, find_end};
use crate::shared::Shared;

/// Most batches in one write.
const RUN_BATCHES: usize = 512;

/// Why the segments could not be written.
#[derive(Debug)]
pub(crate) enum WriteFault {
    /// They do not hold what they should.
    Damage(Damage),
    /// The disk refuses.
    Disk(DiskError),
}

impl From<DiskError> for WriteFault {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// What the flusher knows about a channel's files.
#[derive(Debug)]
pub(crate) struct ChannelFiles {
    /// The channel's directory exists.
    exists: bool,
    /// Of the two copies of the channel's state.
    generation: u64,
    /// The position before the first batch of the segments. Readers may know of a later one already.
    log_start: LogPosition,
    /// End of what the segments hold.
    written: LogPosition,
    unsynced_bytes: u64,
    /// The last checkpoint.
    kept: Option<ChannelState>,
    /// The second copy of the last checkpoint was synced by this process. Before it is, the first
    /// one must not be touched.
    second_is_synced: bool,
    /// Names in the channel's directory are not durable yet.
    new_names: bool,
    /// The name of the channel's directory is not durable yet.
    new_directory: bool,
}

impl ChannelFiles {
    /// Of a channel that has none yet.
    pub(crate) fn new(origin: LogPosition) -> Self {
        Self {
            exists: false,
            generation: 0,
            log_start: origin,
            written: origin,
            unsynced_bytes: 0,
            kept: None,
            second_is_synced: true,
            new_names: false,
            new_directory: false,
        }
    }

    /// Of a channel that was checkpointed. The process that did it may have died before its last
    /// syncs.
    pub(crate) fn recovered(generation: u64, state: ChannelState) -> Self {
        Self {
            exists: true,
            generation,
            log_start: state.log_start,
            written: state.tail(),
            kept: Some(state),
            second_is_synced: false,
            new_names: true,
            ..Self::new(LogPosition::origin(Link::from_bytes([0; 16])))
        }
    }

    pub(crate) fn written(&self) -> LogPosition {
        self.written
    }

    pub(crate) fn unsynced_bytes(&self) -> u64 {
        self.unsynced_bytes
    }

    pub(crate) fn mark_synced(&mut self) {
        self.unsynced_bytes = 0;
    }

    /// Whether the channel's files are all there; the name of their directory may not be durable
    /// before [`super::Flusher::retire`].
    pub(super) fn is_checkpointed(&self) -> bool {
        self.kept.is_some() && !self.new_directory
    }

    pub(crate) fn take_new_directory(&mut self) -> bool {
        std::mem::take(&mut self.new_directory)
    }

    /// The segment that is written to.
    pub(crate) fn active_path<D: Disk>(
        &self,
        shared: &Shared<D>,
        channel: &Channel,
    ) -> Option<PathBuf> {
        let base = channel.view().segments.last().map(Segment::base)?;
        Some(shared.layout.segment(channel.uid, base))
    }

    /// Makes the segments follow the work: cuts what a truncation removed, then appends.
    pub(crate) fn write<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        work: &Work,
    ) -> Result<u64, WriteFault> {
        self.create_directory(shared, channel)?;
        if let Some(cut) = work.cut {
            if cut.ends_holding {
                snapshot::forget(shared, channel.uid)?;
            }
            if cut.begins || cut.at.seq < self.written.seq {
                self.cut(shared, channel, work, cut)?;
            }
        }
        let written = self.written.seq;
        let held = work
            .batches
            .partition_point(|batch| batch.last_seq() <= written);
        Ok(self.append(shared, channel, &work.batches[held..])?)
    }

    /// The checkpoint that the work leads to, with its generation, which is used up. The segments
    /// are synced.
    pub(super) fn state(&mut self, channel: &Channel, work: &Work) -> (u64, ChannelState) {
        let view = channel.view();
        let mut state = state_of(channel, work, work.lsn, self.log_start, &view.segments);
        state.halted.clone_from(&view.halted);
        drop(view);
        self.generation += 1;
        (self.generation, state)
    }

    /// Both copies of the checkpoint are durable.
    pub(super) fn kept(&mut self, state: ChannelState) {
        self.kept = Some(state);
    }

    /// Writes the second copy of the last checkpoint once more, if nobody knows whether it is
    /// durable. It must be synced before the first one is touched.
    pub(super) fn write_second<D: Disk>(
        &self,
        shared: &Shared<D>,
        channel: &Channel,
    ) -> Result<Option<D::File>, DiskError> {
        let Some(kept) = self.kept.as_ref().filter(|_| !self.second_is_synced) else {
            return Ok(None);
        };
        let (disk, layout) = (&*shared.disk, &shared.layout);
        kept.write_copy(disk, layout, channel.uid, self.generation, 1)
            .map(Some)
    }

    pub(super) fn mark_second_synced(&mut self) {
        self.second_is_synced = true;
    }

    /// Whether names in the channel's directory must be made durable before a checkpoint speaks
    /// of them.
    pub(super) fn has_new_names(&self) -> bool {
        self.new_names
    }

    pub(super) fn mark_names_synced(&mut self) {
        self.new_names = false;
    }

    /// Removes the whole segments that a trim lets go. Needs no room and nothing that waits in
    /// memory: it starts from the last checkpoint.
    pub(crate) fn trim<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
    ) -> Result<(), DiskError> {
        let (upto, trim_upto) = {
            let view = channel.view();
            (view.trimmable_upto(), view.trim_upto)
        };
        // What was trimmed stays trimmed, so the checkpoint that says so must not get lost with
        // its directory.
        let Some(mut state) = self.kept.clone().filter(|_| !self.new_directory) else {
            return Ok(());
        };
        let trimmed = trimmable(&state.segments, upto);
        let Some(last) = trimmed.checked_sub(1) else {
            return Ok(());
        };
        let log_start = state.segments[last].end;
        state.segments.drain(..trimmed);
        state.log_start = log_start;
        state.trim_upto = state.trim_upto.max(trim_upto);
        prune_epochs(&mut state.epochs, log_start.seq);
        self.save(shared, channel, state)?;
        self.log_start = log_start;
        let mut view = channel.view();
        let gone: Vec<Segment> = view.segments.drain(..trimmed).collect();
        // Since it was looked at the log may have begun anew, later on or, let go of, at its very beginning.
        if view.pending_cut().is_none_or(|cut| !cut.begins) {
            view.log_start = log_start;
            prune_epochs(&mut view.epochs, log_start.seq);
        }
        view.generation += 1;
        drop(view);
        remove_segments(shared, channel, &gone)
    }

    /// Moves the channel's directory out of the way.
    pub(crate) fn delete<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        lsn: Lsn,
    ) -> Result<(), DiskError> {
        shared
            .files
            .close_below(&shared.layout.channel_dir(channel.uid));
        deleted::move_away(shared, channel.uid, lsn)?;
        self.exists = false;
        Ok(())
    }

    /// The files of the state come with the directory, so that one sync does for all names. Says
    /// whether it was made now.
    pub(crate) fn create_directory<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
    ) -> Result<bool, DiskError> {
        let is_new = !self.exists;
        if is_new {
            let dir = shared.layout.channel_dir(channel.uid);
            shared.disk.create_dir(&dir)?;
            for path in shared.layout.state(channel.uid) {
                if !shared.disk.exists(&path)? {
                    shared.disk.create(&path)?;
                }
            }
            self.exists = true;
            self.new_directory = true;
            self.new_names = true;
        }
        Ok(is_new)
    }

    fn save<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        state: ChannelState,
    ) -> Result<(), DiskError> {
        let dir = shared.layout.channel_dir(channel.uid);
        if self.new_names {
            shared.disk.sync_dir(&dir)?;
            self.new_names = false;
        }
        if let Some(second) = self.write_second(shared, channel)? {
            second.sync_data()?;
        }
        self.second_is_synced = true;
        self.generation += 1;
        state.save(&*shared.disk, &shared.layout, channel.uid, self.generation)?;
        self.kept = Some(state);
        Ok(())
    }

    /// Cuts the segments to where a truncation says; all of them go if the log begins anew.
    fn cut<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        work: &Work,
        cut: Cut,
    ) -> Result<(), WriteFault> {
        let segments = channel.view().segments.clone();
        let kept = match cut.begins {
            true => 0,
            false => segments.partition_point(|one| one.record.previous.seq < cut.at.seq),
        };
        let (keep, gone) = segments.split_at(kept);
        let mut keep = keep.to_vec();
        if let Some(last) = keep.last_mut() {
            last.record.len = end_of(shared, channel, last, cut.at)?;
            last.record.end = cut.at;
            last.index.cut(last.record.len);
            let path = shared.layout.segment(channel.uid, last.base());
            // What the checkpoint is about to count must be durable.
            shared.files.get(&*shared.disk, &path)?.sync_data()?;
        }
        let log_start = if cut.begins { cut.at } else { self.log_start };
        let mut applied = cut.lsn;
        if planted(Mutant::CutClaimsAll) {
            applied = work.lsn;
        }
        let mut state = state_of(channel, work, applied, log_start, &keep);
        state.epochs.retain(|epoch| epoch.start <= cut.at.seq);
        self.save(shared, channel, state)?;
        let len = keep.last().map(|last| (last.base(), last.record.len));
        let mut view = channel.view();
        view.segments = keep;
        view.generation += 1;
        drop(view);
        self.log_start = log_start;
        self.written = cut.at;
        self.unsynced_bytes = 0;
        if let Some((base, len)) = len {
            let path = shared.layout.segment(channel.uid, base);
            shared.files.get(&*shared.disk, &path)?.truncate(len)?;
            // The index that was kept when this segment was sealed is not its index any more.
            remove_if_there(&*shared.disk, &path.with_extension("idx"))?;
            self.unsynced_bytes = 1;
        }
        Ok(remove_segments(shared, channel, gone)?)
    }

    fn append<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        batches: &[Batch],
    ) -> Result<u64, DiskError> {
        let mut rest = batches;
        let mut total = 0;
        while let Some(first) = rest.first() {
            let segment = self.segment_for(shared, channel, first)?;
            let run = fitting(&segment, rest, &shared.options);
            let (now, later) = rest.split_at(run);
            total += self.append_run(shared, channel, &segment, now)?;
            rest = later;
        }
        Ok(total)
    }

    /// The segment that `batch` goes to; a new one if the last is full or too old.
    fn segment_for<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        batch: &Batch,
    ) -> Result<Segment, DiskError> {
        let last = channel.view().segments.last().cloned();
        if let Some(last) = last {
            if shared.is_damaged(channel.uid, last.base()) {
                self.leave_segment(shared, channel, last.base())?;
                return self.segment_for(shared, channel, batch);
            }
            if last.is_empty() || fitting(&last, std::slice::from_ref(batch), &shared.options) > 0 {
                return Ok(last);
            }
            self.seal(shared, channel, &last)?;
        }
        self.begin_segment(shared, channel)
    }

    /// Nothing is added to this segment any more, because it is damaged: what comes goes into a new one.
    /// One that holds nothing yet is made afresh.
    pub(crate) fn leave_segment<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        base: Seq,
    ) -> Result<(), DiskError> {
        let last = channel.view().segments.last().cloned();
        let Some(last) = last.filter(|last| last.base() == base) else {
            return Ok(());
        };
        if last.is_empty() {
            self.create_segment(shared, channel, &last)?;
            shared.forget_damage(channel.uid, base);
            return Ok(());
        }
        let path = shared.layout.segment(channel.uid, base);
        match shared.files.get(&*shared.disk, &path) {
            Ok(file) => file.sync_data()?,
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
        self.unsynced_bytes = 0;
        self.begin_segment(shared, channel).map(drop)
    }

    fn begin_segment<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
    ) -> Result<Segment, DiskError> {
        let segment = Segment::new(self.written);
        self.create_segment(shared, channel, &segment)?;
        channel.view().segments.push(segment.clone());
        Ok(segment)
    }

    /// Makes the file of a segment that holds nothing yet.
    fn create_segment<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        segment: &Segment,
    ) -> Result<(), DiskError> {
        let path = shared.layout.segment(channel.uid, segment.base());
        let file = create_afresh(&*shared.disk, &path)?;
        let header = SegmentHeader {
            store: shared.store,
            channel: channel.uid,
            previous: segment.record.previous,
        };
        file.write_at(&[IoSlice::new(&header.encode())], 0)?;
        self.new_names = true;
        self.unsynced_bytes += SegmentHeader::LEN as u64;
        shared.files.insert(path, Arc::new(file));
        Ok(())
    }

    /// No more is written to the segment: sync it, and keep its index beside it.
    fn seal<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        segment: &Segment,
    ) -> Result<(), DiskError> {
        let path = shared.layout.segment(channel.uid, segment.base());
        if !planted(Mutant::SealWithoutSync) {
            shared.files.get(&*shared.disk, &path)?.sync_data()?;
        }
        self.unsynced_bytes = 0;
        let path = shared.layout.index(channel.uid, segment.base());
        index::save(&*shared.disk, &path, segment)
    }

    fn append_run<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        channel: &Channel,
        segment: &Segment,
        batches: &[Batch],
    ) -> Result<u64, DiskError> {
        let path = shared.layout.segment(channel.uid, segment.base());
        let file = shared.files.get(&*shared.disk, &path)?;
        let parts: Vec<IoSlice<'_>> = batches
            .iter()
            .flat_map(Batch::chunks)
            .map(|chunk| IoSlice::new(chunk))
            .collect();
        file.write_at(&parts, segment.record.len)?;
        let mut record = segment.record;
        for batch in batches {
            let place = IndexEntry {
                previous: record.end,
                offset: record.len,
            };
            segment
                .index
                .offer(place, shared.options.index_interval_bytes);
            if record.end == record.previous {
                record.first_ms = batch.header().ts_ms;
            }
            record.last_ms = record.last_ms.max(batch.header().ts_ms);
            record.end = batch.position();
            record.len += batch.size() as u64;
        }
        let bytes = record.len - segment.record.len;
        shared
            .page_cache
            .written(&file, segment.record.len, record.len);
        if let Some(last) = channel.view().segments.last_mut() {
            last.record = record;
        }
        self.written = record.end;
        self.unsynced_bytes += bytes;
        Ok(bytes)
    }
}

/// How many of `batches` the segment still takes.
fn fitting(segment: &Segment, batches: &[Batch], options: &crate::StoreOptions) -> usize {
    let mut len = segment.record.len;
    let mut first_ms = (!segment.is_empty()).then_some(segment.record.first_ms);
    let mut run = 0;
    for batch in batches.iter().take(RUN_BATCHES) {
        len += batch.size() as u64;
        let ts_ms = batch.header().ts_ms;
        let age = ts_ms.saturating_sub(first_ms.unwrap_or(ts_ms));
        let full = len > options.segment_bytes || age > options.segment_max_age_ms;
        if full && first_ms.is_some() {
            break;
        }
        first_ms.get_or_insert(ts_ms);
        run += 1;
    }
    run
}

/// How many whole segments end at or before `upto`. The one that is written to stays.
fn trimmable(segments: &[SegmentRecord], upto: Seq) -> usize {
    let sealed = segments.len().saturating_sub(1);
    segments[..sealed].partition_point(|segment| match planted(Mutant::TrimsStraddling) {
        true => segment.previous.seq < upto,
        false => segment.end.seq <= upto,
    })
}

/// Forgets epochs that began before the one in force where the log begins.
fn prune_epochs(epochs: &mut Vec<EpochStart>, log_start: Seq) {
    if let Some(in_force) = epochs.iter().rposition(|epoch| epoch.start <= log_start) {
        epochs.drain(..in_force);
    }
}

fn state_of(
    channel: &Channel,
    work: &Work,
    applied: Lsn,
    log_start: LogPosition,
    segments: &[Segment],
) -> ChannelState {
    let mut epochs = work.epochs.clone();
    prune_epochs(&mut epochs, log_start.seq);
    ChannelState {
        name: channel.name.clone(),
        genesis: channel.genesis.clone(),
        hard_state: work.hard_state,
        commit_hint: work.commit_hint,
        trim_upto: work.trim_upto,
        log_start,
        epochs,
        segments: segments.iter().map(|segment| segment.record).collect(),
        applied,
        halted: work.halted.clone(),
        is_released: work.is_released,
        reached: work.reached,
        releases: work.releases,
    }
}

/// Where in its segment the log ends that ends at `at`. The writer has checked that it is there;
/// if it is not any more, the segment has rotted meanwhile.
fn end_of<D: Disk>(
    shared: &Shared<D>,
    channel: &Channel,
    segment: &Segment,
    at: LogPosition,
) -> Result<u64, WriteFault> {
    let path = shared.layout.segment(channel.uid, segment.base());
    let file = shared.files.get(&*shared.disk, &path)?;
    match find_end(segment, &*file, at) {
        Ok(Some(offset)) => Ok(offset),
        Ok(None) => Err(WriteFault::Damage(Damage::TruncationUnknown { at: at.seq })),
        Err(SegmentFault::Damage(rot)) => Err(WriteFault::Damage(rot.into())),
        Err(SegmentFault::Disk(error)) => Err(WriteFault::Disk(error)),
    }
}
