//! Requests that wait to become batches: those of one producer together, in the order in which
//! the producers came.

use std::collections::{BTreeMap, VecDeque};

use tetrarch_wire::{
    ProducerEpoch, ProducerId, ProducerSeq,
    batch::{Control, EventBlock},
    frame::AppendedRun,
};

use crate::{ProduceRequest, Ticket};

/// A request, or the new part of one, within a group.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub(super) ticket: Ticket,
    /// Which event of the group is its first, and how many are its own.
    pub(super) offset: u32,
    pub(super) count: u32,
    /// Where the events are that were known already.
    pub(super) earlier: Vec<AppendedRun>,
}

/// Events of one producer that will be one batch.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) producer: ProducerId,
    pub(super) producer_epoch: ProducerEpoch,
    pub(super) base: ProducerSeq,
    pub(super) blocks: Vec<EventBlock>,
    pub(super) count: u32,
    pub(super) bytes: usize,
    pub(super) waiters: Vec<Waiter>,
}

impl Group {
    const fn new(producer: ProducerId, producer_epoch: ProducerEpoch, base: ProducerSeq) -> Self {
        Self {
            producer,
            producer_epoch,
            base,
            blocks: Vec::new(),
            count: 0,
            bytes: 0,
            waiters: Vec::new(),
        }
    }

    /// Whether events from this number on may become part of the same batch. Those without a producer
    /// have no numbers.
    fn continues_with(&self, base: ProducerSeq) -> bool {
        !self.producer.is_idempotent() || base == self.next()
    }

    /// The producer seq that comes next.
    pub(super) const fn next(&self) -> ProducerSeq {
        self.base.plus(self.count as u64)
    }

    fn fits(&self, block: &EventBlock) -> bool {
        self.bytes + block.bytes().len() <= EventBlock::MAX_BYTES
            && self.count + block.count() <= tetrarch_wire::limits::MAX_BATCH_EVENTS
    }

    fn add(&mut self, ticket: Ticket, block: EventBlock, earlier: Vec<AppendedRun>) {
        self.waiters.push(Waiter {
            ticket,
            offset: self.count,
            count: block.count(),
            earlier,
        });
        self.extend(block);
    }

    fn extend(&mut self, block: EventBlock) {
        self.count += block.count();
        self.bytes += block.bytes().len();
        self.blocks.push(block);
    }
}

/// One batch to be.
#[derive(Debug)]
pub(super) enum Staged {
    Events(Group),
    Control(Control),
}

/// Everything that waits.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    /// What begins an epoch, before anything else.
    first: Option<Control>,
    queue: VecDeque<Staged>,
    /// How many were taken off the front so far: makes positions in `open` lasting.
    taken: u64,
    /// The latest group of each producer.
    open: BTreeMap<ProducerId, u64>,
    bytes: usize,
    requests: usize,
    /// Requests for events that are staged already: judged again when those are in the log.
    again: Vec<ProduceRequest>,
}

impl Staging {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.queue.is_empty() && self.again.is_empty()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn batches(&self) -> usize {
        self.queue.len() + usize::from(self.first.is_some())
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests + self.again.len()
    }

    pub(crate) fn push_control(&mut self, control: Control) {
        self.queue.push_back(Staged::Control(control));
    }

    /// The next batch is this one, whatever waits.
    pub(crate) fn begin_with(&mut self, control: Control) {
        self.first = Some(control);
    }

    /// Whether a trim point waits.
    pub(crate) fn has_trim_point(&self) -> bool {
        let mut queue = self.queue.iter();
        queue.any(|staged| matches!(staged, Staged::Control(Control::TrimPoint { .. })))
    }

    /// Whether a configuration waits.
    pub(crate) fn has_config(&self) -> bool {
        let mut queue = self.queue.iter();
        queue.any(|staged| matches!(staged, Staged::Control(Control::Config(_))))
    }

    /// The latest group of a producer.
    pub(super) fn latest(&self, producer: ProducerId) -> Option<&Group> {
        let place = self.open.get(&producer)?.checked_sub(self.taken)?;
        match self.queue.get(usize::try_from(place).ok()?)? {
            Staged::Events(group) => Some(group),
            Staged::Control(_) => None,
        }
    }

    fn latest_mut(&mut self, producer: ProducerId) -> Option<&mut Group> {
        let place = self.open.get(&producer)?.checked_sub(self.taken)?;
        match self.queue.get_mut(usize::try_from(place).ok()?)? {
            Staged::Events(group) => Some(group),
            Staged::Control(_) => None,
        }
    }

    /// Adds new events behind those of the same producer, or as a batch of their own.
    pub(super) fn push(&mut self, request: ProduceRequest, earlier: Vec<AppendedRun>) {
        let ProduceRequest {
            ticket,
            producer,
            producer_epoch,
            base_producer_seq: base,
            events,
        } = request;
        self.bytes += events.bytes().len();
        self.requests += 1;
        if let Some(group) = self.latest_mut(producer)
            && group.producer_epoch == producer_epoch
            && group.continues_with(base)
            && group.fits(&events)
        {
            group.add(ticket, events, earlier);
            return;
        }
        let mut group = Group::new(producer, producer_epoch, base);
        group.add(ticket, events, earlier);
        self.open_group(group);
    }

    /// Adds a part of a request as a batch of its own, which nobody waits for.
    pub(super) fn push_part(
        &mut self,
        request: &ProduceRequest,
        base: ProducerSeq,
        events: EventBlock,
    ) {
        self.bytes += events.bytes().len();
        let mut group = Group::new(request.producer, request.producer_epoch, base);
        group.extend(events);
        self.open_group(group);
    }

    fn open_group(&mut self, group: Group) {
        let producer = group.producer;
        let place = self.taken + self.queue.len() as u64;
        self.open.insert(producer, place);
        self.queue.push_back(Staged::Events(group));
    }

    /// The request repeats events that are staged.
    pub(super) fn judge_again(&mut self, request: ProduceRequest) {
        self.again.push(request);
    }

    /// The requests to be judged again, once nothing is staged any more.
    pub(super) fn take_again(&mut self) -> Vec<ProduceRequest> {
        if self.queue.is_empty() {
            std::mem::take(&mut self.again)
        } else {
            Vec::new()
        }
    }

    /// The first batch to be.
    pub(super) fn pop(&mut self) -> Option<Staged> {
        if let Some(control) = self.first.take() {
            return Some(Staged::Control(control));
        }
        let staged = self.queue.pop_front()?;
        if let Staged::Events(group) = &staged {
            self.bytes -= group.bytes;
            self.requests -= group.waiters.len();
            if self.open.get(&group.producer) == Some(&self.taken) {
                self.open.remove(&group.producer);
            }
        }
        self.taken += 1;
        Some(staged)
    }

    /// Takes all requests out: those of which nothing was appended, and those that repeat or
    /// overlap what may have been.
    pub(crate) fn drain(&mut self) -> (Vec<Ticket>, Vec<Ticket>) {
        let (mut fresh, mut unsure) = (Vec::new(), Vec::new());
        while let Some(staged) = self.pop() {
            let Staged::Events(group) = staged else {
                continue;
            };
            for waiter in group.waiters {
                if waiter.earlier.is_empty() {
                    fresh.push(waiter.ticket);
                } else {
                    unsure.push(waiter.ticket);
                }
            }
        }
        let again = std::mem::take(&mut self.again);
        unsure.extend(again.into_iter().map(|request| request.ticket));
        (fresh, unsure)
    }
}
