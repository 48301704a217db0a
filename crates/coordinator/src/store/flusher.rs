//! The thread that copies the WAL into the channels' segments, so that WAL files can be used
//! again, and that saves what is remembered of producers.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tetrarch_log::{Failure, ForkSummary, Mended, SealError, Sealed, WriteOp};
use tetrarch_wire::{Batch, ChannelUid, ForkId, LogPosition, Seq};

use super::{Flusher, StoreFailed, WriteHandle};
use crate::telemetry::{StoreErrorKind, Telemetry};

/// How much is copied before orders are looked at again.
const BUDGET_BYTES: u64 = 32 * 1024 * 1024;
/// How long the thread waits for work before it looks whether it is to end.
const IDLE_WAIT: Duration = Duration::from_millis(100);
/// How long nothing is copied after the disk has refused: it stays full for longer than a moment.
const REST: Duration = Duration::from_secs(1);
/// How many orders may wait; whoever gives more waits.
const MAX_ORDERS: usize = 4_096;
/// How often deleted channels are looked for whose grace period is over, in idle waits.
const PURGE_EVERY: u32 = 36_000;

/// Told what mending a segment came to.
type MendDone = Box<dyn FnOnce(Result<Mended, Failure>) + Send>;

/// Told the end of what was sealed, and the fork, if the log did not end there.
type SealDone = Box<dyn FnOnce(Result<(LogPosition, Option<ForkSummary>), SealError>) + Send>;

/// Told whether a snapshot is durable.
type SaveDone = Box<dyn FnOnce(bool) + Send>;

/// What waits for a snapshot.
pub(crate) enum AfterSnapshot {
    /// Nothing.
    Nothing,
    /// The log may be trimmed up to here: the batches that the producers are remembered by go with it.
    Trim(Seq),
    /// Somebody wants to know whether it is durable.
    Tell(SaveDone),
}

/// What the flusher does besides flushing.
pub(crate) enum FlushOrder {
    /// Save what is remembered of a channel's producers.
    SaveSnapshot {
        channel: ChannelUid,
        /// Which holding of the channel it is of.
        holding: u64,
        seq: Seq,
        bytes: Bytes,
        /// What waits for that to be durable.
        then: AfterSnapshot,
    },
    /// Mend a damaged segment as far as these batches allow.
    Mend {
        channel: ChannelUid,
        segment: Seq,
        batches: Vec<Batch>,
        done: MendDone,
    },
    /// Keep what follows a position of a log as a fork.
    Seal(Seal),
    /// Remove a fork for good.
    DropFork { channel: ChannelUid, fork: ForkId },
}

/// A log whose end is to be sealed.
pub(crate) struct Seal {
    pub(crate) channel: ChannelUid,
    pub(crate) after: LogPosition,
    pub(crate) done: SealDone,
}

/// Where orders are handed in.
#[derive(Clone)]
pub(crate) struct FlushHandle {
    orders: mpsc::SyncSender<FlushOrder>,
    stopping: Arc<AtomicBool>,
}

impl FlushHandle {
    pub(crate) fn start(
        flusher: Flusher,
        writes: WriteHandle,
        telemetry: Arc<Telemetry>,
        store_failed: StoreFailed,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, orders) = mpsc::sync_channel(MAX_ORDERS);
        let stopping = Arc::new(AtomicBool::new(false));
        let thread = FlushThread {
            flusher,
            orders,
            stopping: Arc::clone(&stopping),
            writes,
            telemetry,
            store_failed,
            refused: None,
            seals: VecDeque::new(),
        };
        let join = std::thread::Builder::new()
            .name("tetrarch-flush".to_owned())
            .spawn(move || thread.run())?;
        Ok((
            Self {
                orders: sender,
                stopping,
            },
            join,
        ))
    }

    /// Hands in an order, and says whether there was room for it. Without it is left out: what it saves
    /// is saved again later.
    pub(crate) fn order(&self, order: FlushOrder) -> bool {
        let taken = self.orders.try_send(order);
        if let Err(error) = &taken {
            tracing::debug!(%error, "the flusher has no room for an order");
        }
        taken.is_ok()
    }

    /// Ends the thread once everything that is in the WAL is in the segments, too. The WAL's
    /// writer must have ended before.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}

struct FlushThread {
    flusher: Flusher,
    orders: mpsc::Receiver<FlushOrder>,
    stopping: Arc<AtomicBool>,
    writes: WriteHandle,
    telemetry: Arc<Telemetry>,
    store_failed: StoreFailed,
    /// Why the disk refused the last time, if it did.
    refused: Option<String>,
    /// Logs whose ends are being sealed, one after the other: as large as they are, the WAL goes on being
    /// copied meanwhile.
    seals: VecDeque<Seal>,
}

impl FlushThread {
    fn run(mut self) {
        let mut idle = 0;
        while !self.stopping.load(Ordering::Acquire) {
            self.carry_out_orders();
            self.seal_on();
            let more = self.flush() || !self.seals.is_empty();
            if self.refused.is_some() {
                self.rest();
            } else if !more && !self.flusher.wait_for_work(IDLE_WAIT) {
                idle += 1;
            }
            if idle >= PURGE_EVERY {
                idle = 0;
                self.purge();
            }
        }
        self.carry_out_orders();
        if let Err(error) = self.flusher.flush_all() {
            // The WAL still holds it; the next start reads it from there.
            tracing::warn!(%error, "the WAL was not emptied at the stop");
        }
    }

    /// Returns whether there is more to do at once.
    fn flush(&mut self) -> bool {
        match self.flusher.flush(BUDGET_BYTES) {
            Ok(progress) => {
                if self.refused.take().is_some() {
                    tracing::info!("the WAL is copied into the segments again");
                    self.writes.note_flusher(true);
                }
                progress.more
            }
            Err(error) => {
                let why = error.to_string();
                if self.refused.as_ref() != Some(&why) {
                    tracing::error!(%error, "the WAL cannot be copied into the segments");
                }
                self.refused = Some(why);
                let has_room = error.failure() != Failure::StorageFull;
                self.writes.note_flusher(has_room);
                self.failed(error.failure());
                false
            }
        }
    }

    /// Leaves the disk alone for a while. Orders go on, and a stop is not held up.
    fn rest(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < REST && !self.stopping.load(Ordering::Acquire) {
            self.carry_out_orders();
            self.seal_on();
            std::thread::sleep(IDLE_WAIT);
        }
    }

    /// Copies some more of a log whose end is being sealed.
    fn seal_on(&mut self) {
        let Some(seal) = self.seals.pop_front() else {
            return;
        };
        let (channel, after) = (seal.channel, seal.after);
        match self.flusher.seal(channel, after, BUDGET_BYTES) {
            Ok(Sealed::Begun { .. }) => self.seals.push_front(seal),
            Ok(Sealed::Whole(fork)) => (seal.done)(Ok((fork.end, Some(fork)))),
            Ok(Sealed::Nothing) => (seal.done)(Ok((after, None))),
            Err(error) => {
                tracing::warn!(%channel, after = %after.seq, %error, "the end of a log was not sealed");
                (seal.done)(Err(error));
            }
        }
    }

    fn drop_fork(&mut self, channel: ChannelUid, fork: ForkId) {
        match self.flusher.drop_fork(channel, fork) {
            Ok(true) => tracing::info!(%channel, %fork, "a fork that is in the log was removed"),
            Ok(false) => tracing::debug!(%channel, %fork, "a fork was gone already"),
            // The next start finds it, and it is dropped again.
            Err(error) => tracing::warn!(%channel, %fork, %error, "a fork was not removed"),
        }
    }

    fn carry_out_orders(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                FlushOrder::SaveSnapshot {
                    channel,
                    holding,
                    seq,
                    bytes,
                    then,
                } => {
                    let saved = self.flusher.save_snapshot(channel, holding, seq, &bytes);
                    if let Err(error) = &saved {
                        tracing::warn!(%channel, %error, "the snapshot was not saved");
                        self.failed(error.failure());
                    }
                    match then {
                        AfterSnapshot::Nothing => {}
                        // What is not trimmed now is trimmed with what retention lets go next.
                        AfterSnapshot::Trim(upto) => {
                            if saved.is_ok() {
                                self.writes.order(channel, WriteOp::Trim { upto });
                            }
                        }
                        AfterSnapshot::Tell(done) => done(saved.is_ok()),
                    }
                }
                FlushOrder::Mend {
                    channel,
                    segment,
                    batches,
                    done,
                } => {
                    let mended = self.flusher.mend(channel, segment, &batches);
                    done(mended.map_err(|error| {
                        tracing::warn!(%channel, %segment, %error, "a segment was not mended");
                        self.failed(error.failure());
                        error.failure()
                    }));
                }
                FlushOrder::Seal(seal) => self.seals.push_back(seal),
                FlushOrder::DropFork { channel, fork } => self.drop_fork(channel, fork),
            }
        }
    }

    fn purge(&mut self) {
        match self.flusher.purge_deleted() {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "deleted channels were removed for good"),
            Err(error) => {
                tracing::warn!(%error, "deleted channels were not removed");
                self.failed(error.failure());
            }
        }
    }

    /// A store that has failed says so here even if nothing is written for long: a replica that only
    /// receives a snapshot writes nothing before that is saved.
    fn failed(&self, failure: Failure) {
        self.telemetry.store().error(kind_of(failure));
        if failure == Failure::Fatal {
            self.store_failed.send_replace(true);
        }
    }
}

const fn kind_of(failure: Failure) -> StoreErrorKind {
    match failure {
        Failure::Retryable => StoreErrorKind::Retryable,
        Failure::StorageFull => StoreErrorKind::StorageFull,
        Failure::Corrupt => StoreErrorKind::Corrupt,
        Failure::Fatal => StoreErrorKind::Fatal,
    }
}
