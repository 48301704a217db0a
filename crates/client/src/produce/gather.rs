//! Where senders put events and the producer's task takes them. Events gather here while earlier
//! requests are on their way, so requests grow under load and hold one event when idle.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tetrarch_wire::{
    Event,
    batch::{EventBlock, EventBlockBuilder},
    limits,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    BatchTicket, ProducerOptions, Ticket,
    ack::{Done, Outcome},
};
use crate::{Error, Result};

/// Events that will leave in one request.
#[derive(Debug)]
struct Gathering {
    number: u64,
    blocks: Vec<EventBlock>,
    open: EventBlockBuilder,
    count: u32,
    bytes: usize,
    done: Done,
    since: Instant,
}

/// Events that leave in one request.
#[derive(Debug)]
pub(super) struct Unit {
    /// The events.
    pub(super) block: EventBlock,
    /// Since when the first of them has waited.
    pub(super) since: Instant,
    number: u64,
    done: Done,
}

#[derive(Debug, Default)]
struct State {
    gathering: VecDeque<Gathering>,
    unsettled: BTreeSet<u64>,
    last_number: u64,
    bytes: usize,
    events: usize,
    closing: bool,
    failed: Option<Error>,
    first_failure: Option<Error>,
}

/// The gathering place.
#[derive(Debug)]
pub(super) struct Gather {
    state: Mutex<State>,
    work: Notify,
    settled: Notify,
    ended: Notify,
    options: ProducerOptions,
}

impl Gather {
    pub(super) fn new(options: ProducerOptions) -> Self {
        Self {
            state: Mutex::default(),
            work: Notify::new(),
            settled: Notify::new(),
            ended: Notify::new(),
            options,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event, waiting for room.
    pub(super) async fn send(&self, event: &Event) -> Result<Ticket> {
        event.check()?;
        self.when_there_is_room(|state| {
            let gathering = state.place(event.encoded_len(), 1, &self.options);
            gathering.open.push(event)?;
            let ticket = Ticket::new(&gathering.done, gathering.count);
            state.added(event.encoded_len(), 1);
            Ok(ticket)
        })
        .await
    }

    /// Adds events, waiting for room whenever there is none.
    pub(super) async fn send_batch(&self, events: &[Event]) -> Result<BatchTicket> {
        events.iter().try_for_each(Event::check)?;
        let mut ticket = BatchTicket::default();
        let mut rest = events;
        while !rest.is_empty() {
            let added = self.when_there_is_room(|state| {
                let mut added = 0;
                while added < rest.len() && self.has_room(state) {
                    added += state.add_run(&rest[added..], &mut ticket, &self.options)?;
                }
                Ok(added)
            });
            rest = &rest[added.await?..];
        }
        Ok(ticket)
    }

    /// Adds a block, waiting for room.
    pub(super) async fn send_block(&self, block: EventBlock) -> Result<BatchTicket> {
        let (size, count) = (block.bytes().len(), block.count());
        let mut block = Some(block);
        self.when_there_is_room(|state| {
            let mut ticket = BatchTicket::default();
            if count == 0 {
                return Ok(ticket);
            }
            let gathering = state.place(size, count, &self.options);
            gathering.close_open_block();
            gathering.blocks.extend(block.take());
            ticket.add(&gathering.done, gathering.count, count);
            state.added(size, count);
            Ok(ticket)
        })
        .await
    }

    async fn when_there_is_room<T>(
        &self,
        mut add: impl FnMut(&mut State) -> Result<T>,
    ) -> Result<T> {
        loop {
            if let Some(added) = self.try_add(&mut add)? {
                return Ok(added);
            }
            let room = self.settled.notified();
            tokio::pin!(room);
            // From here on a settlement is not missed; there may have been one just before.
            room.as_mut().enable();
            if let Some(added) = self.try_add(&mut add)? {
                return Ok(added);
            }
            room.await;
        }
    }

    fn try_add<T>(&self, add: &mut impl FnMut(&mut State) -> Result<T>) -> Result<Option<T>> {
        let added = {
            let mut state = self.lock();
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            if state.closing {
                return Err(Error::Closed { what: "producer" });
            }
            if !self.has_room(&state) {
                return Ok(None);
            }
            add(&mut state)?
        };
        self.work.notify_one();
        Ok(Some(added))
    }

    /// The bounds may be exceeded by one event or block, so that a large one always finds room.
    fn has_room(&self, state: &State) -> bool {
        state.bytes < self.options.max_buffered_bytes
            && state.events < self.options.max_buffered_events
    }

    /// Waits until something may have been added, or the producer is to end.
    pub(super) async fn work(&self) {
        self.work.notified().await;
    }

    /// The events of the next request, if there are any.
    pub(super) fn take(&self) -> Option<Unit> {
        let gathering = self.lock().gathering.pop_front()?;
        Some(gathering.seal())
    }

    /// Since when the oldest event that has not been taken waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.lock().gathering.front().map(|first| first.since)
    }

    /// Settles a request: its events are no longer counted, and their senders learn of it.
    pub(super) fn settle(&self, unit: &Unit, outcome: Outcome) {
        {
            let mut state = self.lock();
            state.unsettled.remove(&unit.number);
            state.bytes = state.bytes.saturating_sub(unit.block.bytes().len());
            state.events = state.events.saturating_sub(unit.block.count() as usize);
            if let Err(error) = &outcome {
                state.first_failure.get_or_insert_with(|| error.clone());
            }
        }
        unit.done.send_replace(Some(outcome));
        self.settled.notify_waiters();
    }

    /// Fails what has waited here for longer than `limit`.
    pub(super) fn expire(&self, limit: Duration, error: impl Fn(u32) -> Error) {
        while self.oldest().is_some_and(|since| since.elapsed() >= limit) {
            if let Some(unit) = self.take() {
                let error = error(unit.block.count());
                self.settle(&unit, Err(error));
            }
        }
    }

    /// Accepts nothing further; what is here is still sent.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }

    /// Whether nothing further comes.
    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Fails everything that is here and all that would come.
    pub(super) fn fail(&self, error: &Error) {
        self.lock().failed.get_or_insert_with(|| error.clone());
        while let Some(unit) = self.take() {
            self.settle(&unit, Err(error.clone()));
        }
        self.settled.notify_waiters();
        self.ended.notify_one();
    }

    /// Waits until everything is to fail.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Why everything fails, if it does.
    pub(super) fn failure(&self) -> Option<Error> {
        self.lock().failed.clone()
    }

    /// Waits until everything that was added before is settled.
    pub(super) async fn flush(&self) -> Result<()> {
        let last = self.lock().last_number;
        let is_settled = || {
            let state = self.lock();
            state.unsettled.first().is_none_or(|first| *first > last)
        };
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if is_settled() {
                break;
            }
            settled.await;
        }
        self.lock().first_failure.take().map_or(Ok(()), Err)
    }
}

impl State {
    /// Where `count` events of `size` bytes go: behind the last ones, or into a new request if
    /// they do not fit there. An empty request takes events of any size.
    fn place(&mut self, size: usize, count: u32, options: &ProducerOptions) -> &mut Gathering {
        if !self.fits(size, count, options) {
            self.last_number += 1;
            self.unsettled.insert(self.last_number);
            self.gathering.push_back(Gathering::new(self.last_number));
        }
        let last = self.gathering.len() - 1;
        &mut self.gathering[last]
    }

    /// Whether they fit behind the last ones.
    fn fits(&self, size: usize, count: u32, options: &ProducerOptions) -> bool {
        self.gathering.back().is_some_and(|last| {
            last.count == 0
                || last.bytes + size <= options.max_batch_bytes
                    && last.count + count <= limits::MAX_BATCH_EVENTS
        })
    }

    /// Counts what was put into the last request.
    fn added(&mut self, size: usize, count: u32) {
        self.bytes += size;
        self.events += count as usize;
        if let Some(last) = self.gathering.back_mut() {
            last.bytes += size;
            last.count += count;
        }
    }

    /// Adds as many events as the last request takes, at least one; returns how many.
    fn add_run(
        &mut self,
        events: &[Event],
        ticket: &mut BatchTicket,
        options: &ProducerOptions,
    ) -> Result<usize> {
        let gathering = self.place(events[0].encoded_len(), 1, options);
        let (number, offset) = (gathering.number, gathering.count);
        let mut added = 0;
        for event in events {
            let size = event.encoded_len();
            // Nothing is placed before there is room for it: a request without events is none.
            if added > 0 && !self.fits(size, 1, options) {
                break;
            }
            self.place(size, 1, options).open.push(event)?;
            self.added(size, 1);
            added += 1;
        }
        // At most `limits::MAX_BATCH_EVENTS` fit.
        let count = u32::try_from(added).unwrap_or(u32::MAX);
        let of_run = |gathering: &&Gathering| gathering.number == number;
        if let Some(gathering) = self.gathering.iter().rev().find(of_run) {
            ticket.add(&gathering.done, offset, count);
        }
        Ok(added)
    }
}

impl Gathering {
    fn new(number: u64) -> Self {
        Self {
            number,
            blocks: Vec::new(),
            open: EventBlock::builder(),
            count: 0,
            bytes: 0,
            done: watch::Sender::new(None),
            since: Instant::now(),
        }
    }

    fn close_open_block(&mut self) {
        if self.open.count() > 0 {
            let open = std::mem::replace(&mut self.open, EventBlock::builder());
            self.blocks.push(open.finish());
        }
    }

    fn seal(mut self) -> Unit {
        self.close_open_block();
        Unit {
            block: EventBlock::merge(&self.blocks),
            since: self.since,
            number: self.number,
            done: self.done,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn gather(max_buffered_events: usize) -> Gather {
        Gather::new(ProducerOptions {
            max_batch_bytes: 100,
            max_buffered_events,
            ..ProducerOptions::default()
        })
    }

    fn event(len: usize) -> Event {
        Event::new(Bytes::from(vec![0; len]))
    }

    #[tokio::test]
    async fn events_gather_into_requests_of_bounded_size_in_order() {
        let gather = gather(100);
        let mut block = EventBlock::builder();
        block.push(&event(1)).unwrap();
        let first = gather.send(&event(40)).await.unwrap();
        let second = gather.send_block(block.finish()).await.unwrap();
        let third = gather
            .send_batch(&[event(30), event(95), event(9)])
            .await
            .unwrap();
        let counts: Vec<u32> = std::iter::from_fn(|| gather.take())
            .map(|unit| unit.block.count())
            .collect();
        assert_eq!(counts, [3, 1, 1]);
        drop((first, second, third));
    }

    /// It would be sent, and refused as none.
    #[tokio::test]
    async fn a_batch_that_waits_for_room_leaves_no_request_without_events() {
        let gather = gather(2);
        let events = [event(40), event(40), event(40)];
        let sending = tokio::time::timeout(Duration::ZERO, gather.send_batch(&events));
        assert!(sending.await.is_err(), "there is room for two");
        let counts: Vec<u32> = std::iter::from_fn(|| gather.take())
            .map(|unit| unit.block.count())
            .collect();
        assert_eq!(counts, [2]);
    }

    #[tokio::test]
    async fn an_event_over_the_size_of_a_request_has_one_of_its_own() {
        let gather = gather(100);
        let events = [event(1), event(1_000), event(1_000), event(1)];
        let sent = gather.send_batch(&events);
        let ticket = tokio::time::timeout(Duration::from_secs(10), sent).await;
        drop(ticket.expect("it ends").unwrap());
        drop(gather.send(&event(1_000)).await.unwrap());
        let counts: Vec<u32> = std::iter::from_fn(|| gather.take())
            .map(|unit| unit.block.count())
            .collect();
        assert_eq!(counts, [1, 1, 1, 1, 1]);
    }

    #[tokio::test]
    async fn a_full_place_holds_senders_back_until_something_is_settled() {
        let gather = gather(1);
        let _first = gather.send(&event(1)).await.unwrap();
        let sending = event(1);
        let mut second = Box::pin(gather.send(&sending));
        let waited = tokio::time::timeout(Duration::from_millis(20), &mut second).await;
        assert!(waited.is_err());
        let unit = gather.take().unwrap();
        gather.settle(&unit, Err(Error::NoSeeds));
        drop(second.await.unwrap());
        let flushing = tokio::time::timeout(Duration::from_millis(20), gather.flush());
        assert!(flushing.await.is_err());
        gather.fail(&Error::NoSeeds);
        assert!(gather.flush().await.is_err(), "the first failure is told");
        assert!(gather.send(&event(1)).await.is_err());
    }
}
