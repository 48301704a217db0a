//! The threads that read the log: catch-up of other replicas, and consumers that are behind.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use tetrarch_log::{ForkReadError, ReadError};
use tetrarch_wire::{Batch, ChannelUid, ForkId, Seq};

use super::Reader;

/// How many reads may wait. Each belongs to a subscription or to a catch-up request, which wait
/// for their answer before they ask again.
const MAX_WAITING: usize = 65_536;
const THREADS: usize = 2;

/// What a read found.
#[derive(Debug)]
pub(crate) enum ReadOutcome {
    /// Whole batches, the first of which holds the seq that was asked for.
    Batches { batches: Vec<Batch>, log_start: Seq },
    /// Retention has dropped what was asked for.
    Trimmed { log_start: Seq },
    /// Nothing durable is there yet.
    BeyondTail,
    /// The store does not hold the channel.
    UnknownChannel,
    /// The channel is damaged beyond mending.
    Corrupt,
    /// A segment is damaged, and is going to be mended.
    Damaged,
    /// It did not work this time.
    Transient,
}

type Deliver = Box<dyn FnOnce(ReadOutcome) + Send>;

/// Which bytes of a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// Its log.
    Log,
    /// What was cut off it.
    Fork(ForkId),
}

struct Job {
    channel: ChannelUid,
    source: Source,
    from: Seq,
    max_bytes: u32,
    deliver: Deliver,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    stopping: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.stopping {
                return None;
            }
            waiting = self
                .arrived
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Where reads are handed in.
#[derive(Clone)]
pub(crate) struct ReadHandle {
    shared: Arc<Shared>,
    reader: Reader,
}

impl ReadHandle {
    pub(crate) fn start(reader: &Reader) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::with_capacity(THREADS);
        for number in 0..THREADS {
            let (shared, reader) = (Arc::clone(&shared), reader.clone());
            let thread = std::thread::Builder::new().name(format!("tetrarch-read-{number}"));
            threads.push(thread.spawn(move || {
                while let Some(job) = shared.next() {
                    let outcome = read(&reader, &job);
                    (job.deliver)(outcome);
                }
            })?);
        }
        Ok((
            Self {
                shared,
                reader: reader.clone(),
            },
            threads,
        ))
    }

    /// Reads whole batches, beginning with the one that holds `from`, and gives them to `deliver`
    /// on a reading thread.
    pub(crate) fn read(
        &self,
        channel: ChannelUid,
        source: Source,
        from: Seq,
        max_bytes: u32,
        deliver: impl FnOnce(ReadOutcome) + Send + 'static,
    ) {
        let mut waiting = self.shared.lock();
        if waiting.stopping || waiting.jobs.len() >= MAX_WAITING {
            drop(waiting);
            deliver(ReadOutcome::Transient);
            return;
        }
        waiting.jobs.push_back(Job {
            channel,
            source,
            from,
            max_bytes,
            deliver: Box::new(deliver),
        });
        drop(waiting);
        self.shared.arrived.notify_one();
    }

    /// The reader itself, for questions that need no file.
    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Ends the threads once everything handed in before is answered.
    pub(crate) fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.arrived.notify_all();
    }
}

/// Reads on the calling thread.
fn read(reader: &Reader, job: &Job) -> ReadOutcome {
    let &Job {
        channel,
        from,
        max_bytes,
        ..
    } = job;
    match job.source {
        Source::Log => read_log(reader, channel, from, max_bytes),
        Source::Fork(fork) => read_fork(reader, (channel, fork), from, max_bytes),
    }
}

fn read_log(reader: &Reader, channel: ChannelUid, from: Seq, max_bytes: u32) -> ReadOutcome {
    match reader.read(channel, from, max_bytes as usize) {
        Ok(found) => {
            let log_start = found.log_start.seq.next();
            ReadOutcome::Batches {
                batches: found.batches,
                log_start,
            }
        }
        Err(ReadError::UnknownChannel) => ReadOutcome::UnknownChannel,
        Err(ReadError::Trimmed { log_start }) => ReadOutcome::Trimmed {
            log_start: log_start.seq.next(),
        },
        Err(ReadError::BeyondTail { .. }) => ReadOutcome::BeyondTail,
        Err(ReadError::Corrupt(damage)) => {
            tracing::error!(%channel, %from, ?damage, "bytes on disk are damaged");
            ReadOutcome::Corrupt
        }
        Err(ReadError::Damaged(damage)) => {
            tracing::debug!(%channel, %from, ?damage, "a segment is damaged");
            ReadOutcome::Damaged
        }
        Err(ReadError::Transient(error)) => {
            tracing::warn!(%channel, %from, %error, "the log cannot be read now");
            ReadOutcome::Transient
        }
    }
}

/// A fork is never trimmed and begins where it was cut off.
fn read_fork(
    reader: &Reader,
    (channel, fork): (ChannelUid, ForkId),
    from: Seq,
    max_bytes: u32,
) -> ReadOutcome {
    match reader.read_fork(channel, fork, from, max_bytes as usize) {
        Ok(batches) => ReadOutcome::Batches {
            batches,
            log_start: Seq::FIRST,
        },
        Err(ForkReadError::UnknownChannel) => ReadOutcome::UnknownChannel,
        Err(ForkReadError::UnknownFork | ForkReadError::OutOfRange { .. }) => {
            ReadOutcome::BeyondTail
        }
        Err(ForkReadError::Damaged(damage)) => {
            tracing::error!(%channel, %fork, %from, %damage, "a fork is damaged");
            ReadOutcome::Damaged
        }
        Err(ForkReadError::Transient(error)) => {
            tracing::warn!(%channel, %fork, %from, %error, "a fork cannot be read now");
            ReadOutcome::Transient
        }
    }
}
