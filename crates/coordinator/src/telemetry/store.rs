//! The store and its disk.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use tetrarch_wire::frame::DiskLevel;

use super::{
    cell::{Count, Each, Known},
    histogram::{self, Histogram},
    labels::{Label, StoreErrorKind, StoreState},
    page::{Page, Series, Show},
    table,
};

/// A group of the write-ahead log that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSynced {
    /// What it holds.
    pub bytes: u64,
    /// How many requests wrote it.
    pub requests: u64,
    /// From handing it to the disk to its being durable.
    pub time: Duration,
}

/// How full the store's disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSample {
    /// What follows from it.
    pub level: DiskLevel,
    /// Free bytes.
    pub free: u64,
    /// All bytes.
    pub size: u64,
}

/// The measurements of the store.
#[derive(Debug)]
pub struct StoreTelemetry {
    /// Index of the state.
    state: AtomicUsize,
    /// Index of the level; `None` before the first sample.
    level: Known,
    free: Known,
    size: Known,
    errors: Each<StoreErrorKind, Count>,
    damaged: Known,
    damaged_forks: Known,
    mended: Count,
    sync: Histogram,
    group_bytes: Histogram,
    group_requests: Histogram,
}

impl StoreTelemetry {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicUsize::new(StoreState::Recovering.index()),
            level: Known::default(),
            free: Known::default(),
            size: Known::default(),
            errors: Each::default(),
            damaged: Known::default(),
            damaged_forks: Known::default(),
            mended: Count::default(),
            sync: Histogram::new(histogram::LATENCY),
            group_bytes: Histogram::new(histogram::GROUP_BYTES),
            group_requests: Histogram::new(histogram::GROUP_REQUESTS),
        }
    }

    /// A group is durable.
    pub fn group_synced(&self, group: &GroupSynced) {
        self.sync.observe_time(group.time);
        self.group_bytes.observe(group.bytes);
        self.group_requests.observe(group.requests);
    }

    /// The store's state is this from now on.
    pub fn state(&self, state: StoreState) {
        self.state.store(state.index(), Relaxed);
    }

    /// An operation on a file failed.
    pub fn error(&self, kind: StoreErrorKind) {
        self.errors.of(kind).add(1);
    }

    /// So many forks are known to be damaged.
    pub fn damaged_forks(&self, forks: usize) {
        self.damaged_forks.set(Some(forks as u64));
    }

    /// So many segments are known to be damaged.
    pub fn damaged(&self, segments: usize) {
        self.damaged.set(Some(segments as u64));
    }

    /// A segment is whole again.
    pub fn mended(&self) {
        self.mended.add(1);
    }

    /// The disk was looked at.
    pub fn disk(&self, sample: &DiskSample) {
        self.level.set(Some(sample.level.index() as u64));
        self.free.set(Some(sample.free));
        self.size.set(Some(sample.size));
    }
}

impl Show for StoreTelemetry {
    fn show(&self, page: &mut Page<'_>) -> fmt::Result {
        page.metric(&table::STORE_STATE, |series| {
            one_of::<StoreState>(series, self.state.load(Relaxed))
        })?;
        page.metric(&table::STORE_ERRORS, |series| {
            let mut kinds = self.errors.iter();
            kinds.try_for_each(|(kind, count)| series.counter(&[kind.name()], count.get()))
        })?;
        page.metric(&table::DAMAGED, |series| if_known(series, &self.damaged))?;
        page.metric(&table::DAMAGED_FORKS, |series| {
            if_known(series, &self.damaged_forks)
        })?;
        page.metric(&table::MENDED, |series| {
            series.counter(&[], self.mended.get())
        })?;
        page.metric(&table::SYNC_LATENCY, |series| {
            series.histogram(&[], &self.sync)
        })?;
        page.metric(&table::GROUP_BYTES, |series| {
            series.histogram(&[], &self.group_bytes)
        })?;
        page.metric(&table::GROUP_REQUESTS, |series| {
            series.histogram(&[], &self.group_requests)
        })?;
        page.metric(&table::DISK_LEVEL, |series| match self.level.get() {
            Some(level) => one_of::<DiskLevel>(series, usize::try_from(level).unwrap_or(0)),
            None => Ok(()),
        })?;
        page.metric(&table::DISK_FREE, |series| if_known(series, &self.free))?;
        page.metric(&table::DISK_SIZE, |series| if_known(series, &self.size))
    }
}

/// 1 for the value with this index, 0 for the others.
fn one_of<L: Label>(series: &mut Series<'_>, index: usize) -> fmt::Result {
    L::ALL
        .iter()
        .try_for_each(|label| series.number(&[label.name()], u64::from(label.index() == index)))
}

fn if_known(series: &mut Series<'_>, value: &Known) -> fmt::Result {
    value
        .get()
        .map_or(Ok(()), |value| series.number(&[], value))
}
