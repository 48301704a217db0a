//! Publishes at full speed from one idempotent producer, and keeps the ledger.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use tetrarch_client::{BatchTicket, Producer};
use tetrarch_wire::{Event, Seq};
use tokio::sync::watch;

use super::input::Input;
use super::ledger::Ledger;
use crate::error::Error;

/// Events that are handed over at once.
const BATCH: u64 = 128;
/// Batches that are on their way at once.
const BATCHES_IN_FLIGHT: usize = 64;

/// How far the publisher is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    /// Events acknowledged so far.
    pub(super) acknowledged: u64,
    /// Number of the highest epoch that acknowledged any.
    pub(super) epoch: u64,
    /// When it did so first.
    pub(super) since: Instant,
}

impl Pulse {
    /// Before the first acknowledgement.
    pub(super) fn start() -> Self {
        Self {
            acknowledged: 0,
            epoch: 0,
            since: Instant::now(),
        }
    }
}

/// The payload of event `number`: its number, a blank, and the line.
fn payload(input: &Input, number: u64) -> Bytes {
    let line = input.line(number);
    let digits = number.to_string();
    let mut payload = Vec::with_capacity(digits.len() + 1 + line.len());
    payload.extend_from_slice(digits.as_bytes());
    payload.push(b' ');
    payload.extend_from_slice(&line);
    payload.into()
}

/// The number of a payload, and whether the rest is the line of that number.
pub(super) fn number_of(input: &Input, payload: &[u8]) -> (Option<u64>, bool) {
    let blank = payload.iter().position(|byte| *byte == b' ');
    let parts = blank.map(|at| payload.split_at(at));
    let number = parts
        .and_then(|(digits, _)| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok());
    let is_intact = number
        .zip(parts)
        .is_some_and(|(number, (_, rest))| rest[1..] == input.line(number)[..]);
    (number, is_intact)
}

/// A publisher with what is on its way.
pub(super) struct Publisher {
    producer: Producer,
    input: Input,
    ledger: Ledger,
    unsettled: VecDeque<(u64, BatchTicket)>,
    pulse: watch::Sender<Pulse>,
}

impl Publisher {
    /// Publishes `input` through `producer`, telling `pulse` of every acknowledgement.
    pub(super) fn new(producer: Producer, input: Input, pulse: watch::Sender<Pulse>) -> Self {
        Self {
            producer,
            input,
            ledger: Ledger::default(),
            unsettled: VecDeque::new(),
            pulse,
        }
    }

    /// Publishes until then, and waits for every acknowledgement. One event follows after all
    /// others, so that whoever has read it has read the end.
    ///
    /// # Errors
    /// If an event was not acknowledged.
    pub(super) async fn run(mut self, until: Instant) -> Result<Ledger, Error> {
        while Instant::now() < until {
            self.send(BATCH).await?;
            while self.unsettled.len() >= BATCHES_IN_FLIGHT {
                self.settle().await?;
            }
        }
        self.settle_all().await?;
        self.send(1).await?;
        self.settle_all().await?;
        self.producer.close().await?;
        Ok(self.ledger)
    }

    async fn send(&mut self, count: u64) -> Result<(), Error> {
        let first = self.ledger.published();
        let mut events = Vec::new();
        for _ in 0..count {
            let number = self.ledger.publish();
            events.push(Event::new(payload(&self.input, number)));
        }
        let ticket = self.producer.send_batch(&events).await?;
        self.unsettled.push_back((first, ticket));
        Ok(())
    }

    async fn settle_all(&mut self) -> Result<(), Error> {
        while !self.unsettled.is_empty() {
            self.settle().await?;
        }
        Ok(())
    }

    /// Waits for the oldest batch on its way.
    async fn settle(&mut self) -> Result<(), Error> {
        let Some((first, ticket)) = self.unsettled.pop_front() else {
            return Ok(());
        };
        let ack = ticket.acked().await?;
        let seqs = ack.runs.iter().flat_map(|run| {
            let first = run.first.get();
            (first..first + u64::from(run.count)).map(Seq::new)
        });
        for (number, seq) in (first..).zip(seqs) {
            self.ledger.acknowledge(number, seq);
        }
        let acknowledged = self.ledger.acknowledged();
        self.pulse.send_modify(|pulse| {
            pulse.acknowledged = acknowledged;
            if ack.epoch.n > pulse.epoch {
                pulse.epoch = ack.epoch.n;
                pulse.since = Instant::now();
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_tells_its_number_and_whether_it_is_whole() {
        let input = Input::bundled();
        let whole = payload(&input, 4_000);
        assert_eq!(number_of(&input, &whole), (Some(4_000), true));
        assert_eq!(
            number_of(&input, &whole[..whole.len() - 1]),
            (Some(4_000), false)
        );
        assert_eq!(number_of(&input, b"x y"), (None, false));
        assert_eq!(number_of(&input, b"4000"), (None, false));
    }

    #[test]
    fn no_two_payloads_are_alike() {
        let input = Input::bundled();
        let again = input.len() as u64;
        assert_ne!(payload(&input, 0), payload(&input, again));
    }
}
