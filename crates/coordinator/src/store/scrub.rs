//! The thread that reads everything the store holds, slowly and again and again: a byte that has rotted
//! in a segment that nobody reads is found, and mended, while other replicas still have it. Forks are
//! read too; a damaged one is reported, and no more.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tetrarch_log::{ForkReadError, ForkSummary, ReadError};
use tetrarch_wire::{Batch, ChannelUid, ForkId, Seq};

use super::Reader;

/// How much is read at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// How long a pass lasts at least, so that a small store is not read all the time.
const SHORTEST_PASS: Duration = Duration::from_secs(10);
/// How long the thread sleeps at most before it looks whether it is to end.
const NAP: Duration = Duration::from_millis(100);

/// Ends the thread.
#[derive(Clone, Default)]
pub(crate) struct ScrubHandle {
    stopping: Arc<AtomicBool>,
}

impl ScrubHandle {
    /// Starts the thread, which reads so many bytes a second.
    pub(crate) fn start(
        reader: &Reader,
        bytes_per_second: u64,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let handle = Self::default();
        let scrub = Scrub {
            reader: reader.clone(),
            bytes_per_second,
            stopping: Arc::clone(&handle.stopping),
            due: Instant::now(),
            reported: BTreeSet::new(),
        };
        let join = std::thread::Builder::new()
            .name("tetrarch-scrub".to_owned())
            .spawn(move || scrub.run())?;
        Ok((handle, join))
    }

    /// Ends it soon.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}

struct Scrub {
    reader: Reader,
    bytes_per_second: u64,
    stopping: Arc<AtomicBool>,
    /// When the next chunk may be read.
    due: Instant,
    /// Damaged forks that the log of the process speaks of.
    reported: BTreeSet<(ChannelUid, ForkId)>,
}

impl Scrub {
    fn run(mut self) {
        while !self.is_over() {
            let begun = Instant::now();
            for channel in self.reader.channels() {
                for (first, last) in self.reader.segments(channel) {
                    self.read(channel, first, last);
                }
                for fork in self.reader.forks(channel) {
                    self.read_fork(channel, &fork);
                }
            }
            self.report_forks();
            self.sleep_until(begun + SHORTEST_PASS);
        }
    }

    /// Reads a segment until its end, or until what is wrong with it: the store remembers that.
    fn read(&mut self, channel: ChannelUid, first: Seq, last: Seq) {
        let mut next = first;
        while next <= last && !self.is_over() {
            self.sleep_until(self.due);
            let read = match self.reader.read(channel, next, CHUNK_BYTES) {
                Ok(read) => read,
                Err(ReadError::Transient(error)) => {
                    tracing::debug!(%channel, %next, %error, "a segment is not looked at this time");
                    return;
                }
                Err(
                    ReadError::Damaged(_)
                    | ReadError::Corrupt(_)
                    | ReadError::Trimmed { .. }
                    | ReadError::BeyondTail { .. }
                    | ReadError::UnknownChannel,
                ) => return,
            };
            self.pay(&read.batches);
            let Some(end) = read.batches.last() else {
                return;
            };
            next = end.last_seq().next();
        }
    }

    /// The same with a fork.
    fn read_fork(&mut self, channel: ChannelUid, fork: &ForkSummary) {
        let mut next = fork.base.seq.next();
        while next <= fork.end.seq && !self.is_over() {
            self.sleep_until(self.due);
            let read = match self.reader.read_fork(channel, fork.id, next, CHUNK_BYTES) {
                Ok(read) => read,
                Err(ForkReadError::Transient(error)) => {
                    let fork = fork.id;
                    tracing::debug!(%channel, %fork, %error, "a fork is not looked at this time");
                    return;
                }
                Err(
                    ForkReadError::Damaged(_)
                    | ForkReadError::UnknownFork
                    | ForkReadError::OutOfRange { .. }
                    | ForkReadError::UnknownChannel,
                ) => return,
            };
            self.pay(&read);
            let Some(end) = read.last() else { return };
            next = end.last_seq().next();
        }
    }

    /// Speaks of each damaged fork once.
    fn report_forks(&mut self) {
        let before = std::mem::take(&mut self.reported);
        for (channel, fork, damage) in self.reader.damaged_forks() {
            if !before.contains(&(channel, fork)) {
                tracing::error!(%channel, %fork, %damage, "a fork is damaged");
            }
            self.reported.insert((channel, fork));
        }
    }

    fn pay(&mut self, read: &[Batch]) {
        let bytes: usize = read.iter().map(Batch::size).sum();
        let nanos = (bytes as u64).saturating_mul(1_000_000_000) / self.bytes_per_second.max(1);
        self.due = self.due.max(Instant::now()) + Duration::from_nanos(nanos);
    }

    fn sleep_until(&self, moment: Instant) {
        while !self.is_over() {
            let left = moment.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(NAP));
        }
    }

    fn is_over(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
