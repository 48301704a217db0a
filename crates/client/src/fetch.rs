//! Reading once, and what is read: batches of which the client sees only what it asked for.

use std::time::Duration;

use tetrarch_wire::{
    Batch, BatchKind, Epoch, Event, Frame, LogPosition, Seq,
    batch::{EventBlock, Events},
    frame::{Fetch, ReadMode, StartFrom},
};

use crate::{
    Result,
    core::{Ask, Core, Question, unexpected},
};

/// Where a read begins.
pub type FetchFrom = StartFrom;

/// How to read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// What may be seen.
    pub mode: ReadMode,
    /// Most bytes; at least one batch is returned if there is one.
    pub max_bytes: u32,
    /// How long the node waits for an event if there is none.
    pub wait: Duration,
    /// The node to read from, by name; any that holds the channel if `None`, or the leader for a
    /// linearizable read.
    pub node: Option<String>,
}

impl Default for FetchOptions {
    /// Committed events, up to 1 MiB, without waiting, from any node.
    fn default() -> Self {
        Self {
            mode: ReadMode::Committed,
            max_bytes: 1 << 20,
            wait: Duration::ZERO,
            node: None,
        }
    }
}

/// What was read once.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Last committed seq known to the serving node.
    pub commit: Seq,
    /// First seq that is still there.
    pub log_start: Seq,
    /// The events, by batch.
    pub batches: Vec<EventBatch>,
    /// Where to go on: directly after everything that was read, control batches included; `None`
    /// if nothing was.
    pub next: Option<LogPosition>,
    /// Name of the node that served it.
    pub node: String,
}

/// Events that were appended together, without those before the point that was asked for.
#[derive(Clone, Debug)]
pub struct EventBatch {
    batch: Batch,
    wanted: EventBlock,
}

/// One event with its place in the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its place.
    pub seq: Seq,
    /// The epoch in which it was appended.
    pub epoch: Epoch,
    /// When the leader took it, in milliseconds of Unix time. Informational.
    pub ts_ms: u64,
    /// The event.
    pub event: Event,
}

impl EventBatch {
    /// The events of a data batch from `wanted` on; `None` for a control batch, or if all of its
    /// events lie before.
    pub(crate) fn new(batch: Batch, wanted: Seq) -> Result<Option<Self>> {
        if batch.kind() != BatchKind::Data || batch.last_seq() < wanted {
            return Ok(None);
        }
        let before = wanted.get().saturating_sub(batch.base_seq().get());
        // It is less than the batch's count, because its last seq is not before `wanted`.
        let skip = u32::try_from(before).unwrap_or(u32::MAX);
        let (_, wanted) = batch.events()?.split_at(skip);
        Ok(Some(Self { batch, wanted }))
    }

    /// Seq of the first event.
    #[must_use]
    pub fn first_seq(&self) -> Seq {
        let skipped = self.batch.header().count - self.wanted.count();
        self.batch.base_seq().plus(skipped.into())
    }

    /// Seq of the last event.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.batch.last_seq()
    }

    /// How many events; at least one.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.wanted.count()
    }

    /// The epoch in which they were appended.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.batch.epoch()
    }

    /// When the leader took them, in milliseconds of Unix time. Informational.
    #[must_use]
    pub fn ts_ms(&self) -> u64 {
        self.batch.header().ts_ms
    }

    /// The whole batch as it is stored, events before the asked point included.
    #[must_use]
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The events without their places: cheaper, if only payloads matter.
    #[must_use]
    pub fn events(&self) -> Events {
        self.wanted.iter()
    }

    /// The events one by one.
    #[must_use]
    pub fn iter(&self) -> EventIter {
        EventIter {
            events: self.wanted.iter(),
            next: self.first_seq(),
            epoch: self.epoch(),
            ts_ms: self.ts_ms(),
        }
    }
}

/// The events of an [`EventBatch`], each with its place.
#[derive(Debug)]
pub struct EventIter {
    events: Events,
    next: Seq,
    epoch: Epoch,
    ts_ms: u64,
}

impl Iterator for EventIter {
    type Item = Delivered;

    fn next(&mut self) -> Option<Delivered> {
        let event = self.events.next()?;
        let seq = self.next;
        self.next = seq.next();
        Some(Delivered {
            seq,
            epoch: self.epoch,
            ts_ms: self.ts_ms,
            event,
        })
    }
}

impl IntoIterator for &EventBatch {
    type Item = Delivered;
    type IntoIter = EventIter;

    fn into_iter(self) -> EventIter {
        self.iter()
    }
}

/// The first seq that a read from `from` wants to see.
pub(crate) const fn first_wanted(from: StartFrom) -> Seq {
    match from {
        StartFrom::Start | StartFrom::Now => Seq::ZERO,
        StartFrom::Seq(seq) => seq,
        StartFrom::After(position) => position.seq.next(),
    }
}

pub(crate) async fn fetch(
    core: &Core,
    channel: &str,
    from: StartFrom,
    options: &FetchOptions,
) -> Result<Fetched> {
    const WHAT: &str = "fetch request";
    let uid = core.route(channel).await?.uid;
    let question = Question {
        what: WHAT,
        ask: whom(channel, options.mode, options.node.as_deref()),
        within: core.config.answer_within + options.wait,
        frame: |request| {
            Frame::Fetch(Fetch {
                request,
                channel: uid,
                from,
                mode: options.mode,
                max_bytes: options.max_bytes,
                wait_ms: u32::try_from(options.wait.as_millis()).unwrap_or(u32::MAX),
            })
        },
    };
    let answered = core.ask(question).await?;
    let Frame::FetchResponse(response) = answered.frame else {
        return Err(unexpected(&answered.node, WHAT, &answered.frame));
    };
    let wanted = first_wanted(from);
    let next = response.batches.last().map(Batch::position);
    let mut batches = Vec::with_capacity(response.batches.len());
    for batch in response.batches {
        batches.extend(EventBatch::new(batch, wanted)?);
    }
    Ok(Fetched {
        commit: response.commit,
        log_start: response.log_start,
        batches,
        next,
        node: answered.node,
    })
}

/// A named node if there is one; else whoever may serve a read of this mode.
pub(crate) fn whom<'a>(channel: &'a str, mode: ReadMode, node: Option<&'a str>) -> Ask<'a> {
    match (node, mode) {
        (Some(node), _) => Ask::Node(node),
        (None, ReadMode::Linearizable) => Ask::LeaderOf(channel),
        (None, ReadMode::Committed | ReadMode::Local) => Ask::HolderOf(channel),
    }
}
