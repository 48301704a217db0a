//! One producer that keeps many events on their way.

use std::collections::VecDeque;
use std::time::Instant;

use tetrarch_client::{BatchTicket, Producer};
use tetrarch_wire::batch::EventBlock;

use super::stamp::Stamps;
use super::tally::Tally;
use crate::error::Error;

/// Events that were handed over together.
struct Batch {
    ticket: BatchTicket,
    events: u64,
    handed_over: Instant,
}

/// A producer with what is on its way.
pub(super) struct Pipelined<'a> {
    producer: Producer,
    stamps: Stamps,
    tally: &'a Tally,
    in_flight: VecDeque<Batch>,
}

impl<'a> Pipelined<'a> {
    /// Publishes through `producer`.
    pub(super) const fn new(producer: Producer, stamps: Stamps, tally: &'a Tally) -> Self {
        Self {
            producer,
            stamps,
            tally,
            in_flight: VecDeque::new(),
        }
    }

    /// Keeps `in_flight` events on their way, handed over `batch` at a time, until the window
    /// closes; then waits for the rest.
    ///
    /// # Errors
    /// If events are too large.
    pub(super) async fn run(mut self, in_flight: usize, batch: usize) -> Result<(), Error> {
        let batches = (in_flight / batch).max(1);
        while self.tally.window().is_open() {
            let is_going_on = self.send(batch).await?;
            if !is_going_on {
                break;
            }
            while self.in_flight.len() >= batches {
                self.settle().await;
            }
        }
        while !self.in_flight.is_empty() {
            self.settle().await;
        }
        Ok(())
    }

    /// Hands a batch over; false if the producer takes nothing any more.
    async fn send(&mut self, count: usize) -> Result<bool, Error> {
        let (event, handed_over) = self.stamps.event();
        let mut block = EventBlock::builder();
        for _ in 0..count {
            block.push(&event).map_err(tetrarch_client::Error::from)?;
        }
        let events = count as u64;
        match self.producer.send_block(block.finish()).await {
            Ok(ticket) => {
                self.in_flight.push_back(Batch {
                    ticket,
                    events,
                    handed_over,
                });
                Ok(true)
            }
            Err(error) => {
                self.tally.failed(events, &error);
                Ok(false)
            }
        }
    }

    /// Waits for the oldest batch.
    async fn settle(&mut self) {
        let Some(batch) = self.in_flight.pop_front() else {
            return;
        };
        match batch.ticket.acked().await {
            Ok(ack) => self
                .tally
                .acknowledged(batch.events, batch.handed_over, ack.copies),
            Err(error) => self.tally.failed(batch.events, &error),
        }
    }
}
