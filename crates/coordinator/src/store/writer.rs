//! The thread that writes and syncs the WAL.
//!
//! A group is whatever arrived while the last one was being synced; there is no timer. One sync
//! serves every channel of the node.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tetrarch_log::{
    Group, GroupError, GroupQueue, GroupReport, Issuer, NotTakenBecause, Refusal, WriteOp,
    WriteRequest,
};
use tetrarch_replica::{LogWrite, Moment, PersistFailure, PersistToken};
use tetrarch_wire::ChannelUid;
use tokio::sync::mpsc;

use super::{StoreFailed, Writer};
use crate::clock;
use crate::telemetry::{GroupSynced, StoreErrorKind, StoreState, Telemetry};

/// How long a writer that found no free WAL file waits for the flusher before it looks again.
const ROOM_WAIT: Duration = Duration::from_millis(100);
/// How long it waits before it tries a write again that met a passing failure.
const RETRY_WAIT: Duration = Duration::from_millis(10);
/// How often it tries before it tells those who wait.
const MAX_TRIES: u32 = 50;
const NOT_WRITING: u64 = u64::MAX;

/// What became of a persist.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreEvent {
    pub(crate) channel: ChannelUid,
    /// Whose.
    pub(crate) opening: Opening,
    pub(crate) token: PersistToken,
    pub(crate) failure: Option<PersistFailure>,
}

/// The senders of the workers' store events, by worker. A channel has a bounded number of persists
/// outstanding, so these have a bound without having a capacity.
pub(crate) type StoreEvents = Vec<mpsc::UnboundedSender<Vec<StoreEvent>>>;

/// Which replica of a channel it is, of those that a worker has had of it one after the other. Each numbers
/// its writes and reads from the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opening(u64);

impl Opening {
    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Who asked for a write. A write without a token is the node's own, and nobody waits for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    worker: usize,
    channel: ChannelUid,
    token: Option<(Opening, PersistToken)>,
}

impl Origin {
    /// The replica of a channel that a worker owns.
    pub(crate) const fn of_replica(
        worker: usize,
        channel: ChannelUid,
        opening: Opening,
        token: PersistToken,
    ) -> Self {
        Self {
            worker,
            channel,
            token: Some((opening, token)),
        }
    }
}

struct Pending {
    queue: GroupQueue<Origin>,
    stopping: bool,
}

struct Shared {
    pending: Mutex<Pending>,
    arrived: Condvar,
    events: StoreEvents,
    /// When the write under way began; [`NOT_WRITING`] while there is none.
    writing_since: AtomicU64,
    /// A write has found no room since somebody asked.
    found_no_room: AtomicBool,
    /// The flusher finds no room for what would make room in the WAL.
    flusher_has_no_room: AtomicBool,
}

/// Where writes are handed in.
#[derive(Clone)]
pub(crate) struct WriteHandle {
    shared: Arc<Shared>,
}

impl WriteHandle {
    /// Starts the thread. At most `max_waiting` bytes may wait for it.
    pub(crate) fn start(
        writer: Writer,
        max_waiting: usize,
        events: StoreEvents,
        telemetry: Arc<Telemetry>,
        store_failed: StoreFailed,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let queue = GroupQueue::new(writer.group_limit(), max_waiting);
        let pending = Mutex::new(Pending {
            queue,
            stopping: false,
        });
        let writing_since = AtomicU64::new(NOT_WRITING);
        let shared = Arc::new(Shared {
            pending,
            arrived: Condvar::new(),
            events,
            writing_since,
            found_no_room: AtomicBool::new(false),
            flusher_has_no_room: AtomicBool::new(false),
        });
        let thread = WalThread {
            shared: Arc::clone(&shared),
            writer,
            telemetry,
            store_failed,
            is_failing: false,
        };
        let join = std::thread::Builder::new()
            .name("tetrarch-wal".to_owned())
            .spawn(move || thread.run())?;
        Ok((Self { shared }, join))
    }

    /// Hands in what a replica wants persisted.
    pub(crate) fn persist(&self, origin: Origin, issuer: Issuer, writes: Vec<LogWrite>) {
        let request = WriteRequest {
            channel: origin.channel,
            ops: writes.into_iter().map(write_op).collect(),
        };
        self.push(request, issuer, origin);
    }

    /// Hands in a write of the node's own: a channel opened, trimmed or deleted. It is durable
    /// before any later write of the same channel is; while the disk is full, both wait.
    pub(crate) fn order(&self, channel: ChannelUid, op: WriteOp) {
        self.order_together(channel, vec![op]);
    }

    /// The same of writes of which either all are durable or none is.
    pub(crate) fn order_together(&self, channel: ChannelUid, ops: Vec<WriteOp>) {
        let origin = Origin {
            worker: 0,
            channel,
            token: None,
        };
        let request = WriteRequest { channel, ops };
        self.push(request, Issuer::Node, origin);
    }

    /// A channel's replica begins anew on this node.
    pub(crate) fn forget_failures(&self, channel: ChannelUid) {
        self.shared.lock().queue.forget_failures(channel);
    }

    /// For how long the write under way has been waiting for the disk.
    pub(crate) fn stalled_for(&self) -> Duration {
        match self.shared.writing_since.load(Ordering::Acquire) {
            NOT_WRITING => Duration::ZERO,
            since => clock::moment().since(Moment::from_nanos(since)),
        }
    }

    /// Whether the flusher finds room. Without it, what waits for the flusher waits for room.
    pub(crate) fn note_flusher(&self, has_room: bool) {
        let shared = &self.shared;
        shared
            .flusher_has_no_room
            .store(!has_room, Ordering::Release);
        shared.found_no_room.fetch_or(!has_room, Ordering::AcqRel);
    }

    /// Whether one has since this was asked last.
    pub(crate) fn take_no_room(&self) -> bool {
        self.shared.found_no_room.swap(false, Ordering::AcqRel)
    }

    /// Ends the thread once everything handed in before is on disk.
    pub(crate) fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.arrived.notify_one();
    }

    fn push(&self, request: WriteRequest, issuer: Issuer, origin: Origin) {
        let mut pending = self.shared.lock();
        let was_empty = pending.queue.is_empty();
        let pushed = pending.queue.push(request, issuer, origin);
        drop(pending);
        match pushed {
            Ok(()) if was_empty => self.shared.arrived.notify_one(),
            Ok(()) => {}
            Err(not_taken) => {
                if not_taken.why == NotTakenBecause::Full {
                    tracing::error!(channel = %origin.channel, "the queue of the WAL is full");
                }
                let failure = PersistFailure::StorageFull;
                self.shared.tell([not_taken.tag], Some(failure));
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next group; `None` once the thread is to end.
    fn next(&self) -> Option<Group<Origin>> {
        let mut pending = self.lock();
        loop {
            if let Some(group) = pending.queue.next_group() {
                return Some(group);
            }
            if pending.stopping {
                return None;
            }
            pending = self
                .arrived
                .wait(pending)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells each worker in one message what became of its persists.
    fn tell(&self, origins: impl IntoIterator<Item = Origin>, failure: Option<PersistFailure>) {
        let mut by_worker: Vec<Vec<StoreEvent>> = self.events.iter().map(|_| Vec::new()).collect();
        for Origin {
            worker,
            channel,
            token,
        } in origins
        {
            if let Some((opening, token)) = token {
                by_worker[worker].push(StoreEvent {
                    channel,
                    opening,
                    token,
                    failure,
                });
            }
        }
        for (events, sender) in by_worker.into_iter().zip(&self.events) {
            if !events.is_empty() && sender.send(events).is_err() {
                tracing::debug!("a worker stopped before its persists were done");
            }
        }
    }
}

struct WalThread {
    shared: Arc<Shared>,
    writer: Writer,
    telemetry: Arc<Telemetry>,
    store_failed: StoreFailed,
    /// Whether the last group was not written.
    is_failing: bool,
}

impl WalThread {
    fn run(mut self) {
        while let Some(group) = self.shared.next() {
            let committed = self.commit(&group.requests);
            self.shared
                .writing_since
                .store(NOT_WRITING, Ordering::Release);
            match committed {
                Ok(report) => self.done(group.tags, &report),
                Err(failure) => self.not_written(group, failure),
            }
        }
    }

    /// Nothing of the group was written, and nothing may be that was issued after it.
    fn not_written(&self, group: Group<Origin>, failure: PersistFailure) {
        let mut pending = self.shared.lock();
        if failure == PersistFailure::StorageFull && !pending.stopping {
            let failed = pending.queue.failed(group);
            drop(pending);
            self.shared.tell(failed, Some(failure));
            // The node's own writes are tried again; a full disk stays full for more than a moment.
            std::thread::sleep(ROOM_WAIT);
        } else {
            // The store is lost, or the node stops and waits for no room.
            let failed = pending.queue.lost(group);
            drop(pending);
            self.shared.tell(failed, Some(failure));
        }
    }

    fn commit(&mut self, requests: &[WriteRequest]) -> Result<GroupReport, PersistFailure> {
        let mut tries = 0;
        // Waiting for the flusher is waiting, too.
        self.shared
            .writing_since
            .store(clock::moment().as_nanos(), Ordering::Release);
        loop {
            let begun = Instant::now();
            match self.writer.commit(requests) {
                Ok(report) => {
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!("the WAL is written again");
                        self.telemetry.store().state(StoreState::Healthy);
                    }
                    self.telemetry.store().group_synced(&GroupSynced {
                        bytes: report.bytes,
                        requests: requests.len() as u64,
                        time: begun.elapsed(),
                    });
                    return Ok(report);
                }
                Err(error @ GroupError::WalFull)
                    if self.shared.flusher_has_no_room.load(Ordering::Acquire) =>
                {
                    return Err(self.failed(&error));
                }
                Err(GroupError::WalFull) => {
                    if !self.writer.wait_for_room(ROOM_WAIT) {
                        tracing::debug!("the WAL still waits for the flusher");
                    }
                }
                Err(GroupError::Retryable(error)) if tries < MAX_TRIES => {
                    tries += 1;
                    self.telemetry.store().error(StoreErrorKind::Retryable);
                    tracing::warn!(%error, tries, "a write to the WAL is tried again");
                    std::thread::sleep(RETRY_WAIT);
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    fn failed(&mut self, error: &GroupError) -> PersistFailure {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(%error, "nothing of a group was written");
        }
        if let GroupError::StorageFull(_) = error {
            self.shared.found_no_room.store(true, Ordering::Release);
        }
        let store = self.telemetry.store();
        match error {
            GroupError::StorageFull(_) | GroupError::Retryable(_) | GroupError::WalFull => {
                store.error(StoreErrorKind::StorageFull);
                store.state(StoreState::Full);
                PersistFailure::StorageFull
            }
            GroupError::TooLarge { .. } | GroupError::Fatal { .. } => {
                store.error(StoreErrorKind::Fatal);
                store.state(StoreState::Failed);
                // The node's own orders are waited for by nobody.
                self.store_failed.send_replace(true);
                PersistFailure::Fatal
            }
        }
    }

    /// All requests of the group are durable but those that the log refused, which contradict what
    /// it holds: the core and the log disagree, and the channel must not go on.
    fn done(&self, origins: Vec<Origin>, report: &GroupReport) {
        if report.refused.is_empty() {
            return self.shared.tell(origins, None);
        }
        let mut durable = Vec::new();
        for (index, origin) in origins.into_iter().enumerate() {
            match report.refused.iter().find(|(number, _)| *number == index) {
                Some((_, refusal)) => {
                    tracing::error!(channel = %origin.channel, ?refusal, "the log refused a write");
                    self.shared.tell([origin], Some(failure_of(refusal)));
                }
                None => durable.push(origin),
            }
        }
        self.shared.tell(durable, None);
    }
}

const fn failure_of(refusal: &Refusal) -> PersistFailure {
    match refusal {
        Refusal::Halted(_) => PersistFailure::Corrupt,
        Refusal::UnknownChannel
        | Refusal::AlreadyOpen
        | Refusal::Deleted
        | Refusal::Released
        | Refusal::Discontinuous { .. }
        | Refusal::UnknownPosition { .. }
        | Refusal::BeginsBackwards { .. }
        | Refusal::HardStateRegressed
        | Refusal::TrimBeyondTail { .. }
        | Refusal::Protected => PersistFailure::Refused,
    }
}

fn write_op(write: LogWrite) -> WriteOp {
    match write {
        LogWrite::Append(batches) => WriteOp::Append(batches),
        LogWrite::Truncate(position) => WriteOp::Truncate(position),
        LogWrite::Begin(position) => WriteOp::Begin(position),
        LogWrite::HardState(state) => WriteOp::HardState(state),
        LogWrite::CommitHint(seq) => WriteOp::CommitHint(seq),
    }
}
