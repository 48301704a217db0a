//! Publishing while a replica is exchanged, in one of two ways: so many events a second, whatever
//! becomes of them, or as many as are taken.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tetrarch_client::{BatchTicket, Client, Producer, ProducerOptions};
use tetrarch_wire::Event;
use tetrarch_wire::batch::EventBlock;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::MovePlan;
use super::record::{Operation, Record};
use crate::error::Error;

/// Producers that publish as much as is taken.
const SATURATING: usize = 4;
/// Bytes of the numbers at the head of each payload.
const NUMBERS: usize = 8;
/// Events that are handed over at once while the channel is filled.
const FILLING: u32 = 256;
/// How many such batches are on their way.
const FILLING_AT_ONCE: usize = 16;
/// Events on their way at a steady rate, beyond which the producer would be held back.
const STEADY_WAITING: usize = 65_536;

/// Who publishes how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) producers: usize,
    size: usize,
    pace: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// One event after each such interval.
    Steady(Duration),
    /// So many batches of so many events on their way.
    Saturating { batches: usize, batch: u32 },
}

impl Load {
    pub(super) fn steady(plan: &MovePlan) -> Self {
        Self {
            producers: 1,
            size: plan.size,
            pace: Pace::Steady(Duration::from_secs(1) / plan.rate.max(1)),
        }
    }

    pub(super) fn saturating(plan: &MovePlan) -> Self {
        let share = (plan.in_flight / SATURATING).max(1);
        let batch = plan.batch.min(share.div_ceil(4));
        Self {
            producers: SATURATING,
            size: plan.size,
            pace: Pace::Saturating {
                batches: (share / batch).max(1),
                batch: u32::try_from(batch).unwrap_or(u32::MAX),
            },
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pace {
            Pace::Steady(interval) => {
                let rate = Duration::from_secs(1).as_nanos() / interval.as_nanos().max(1);
                write!(f, "one producer, {rate} events/s of {} B", self.size)
            }
            Pace::Saturating { batches, batch } => write!(
                f,
                "{} producers at saturation, each with {batches} batches of {batch} events of {} B \
                 in flight",
                self.producers, self.size
            ),
        }
    }
}

/// All producers of a load, before and while they publish.
pub(super) struct Publishers {
    idle: Vec<Publisher>,
    at_work: JoinSet<Result<(), Error>>,
    over: Arc<AtomicBool>,
    load: Load,
}

impl Publishers {
    pub(super) async fn open(
        client: &Client,
        channel: &str,
        load: Load,
        record: &Arc<Record>,
    ) -> Result<Self, Error> {
        let options = ProducerOptions {
            max_buffered_bytes: 256 << 20,
            max_buffered_events: STEADY_WAITING,
            ..ProducerOptions::default()
        };
        let mut idle = Vec::new();
        for number in 0..load.producers {
            idle.push(Publisher {
                producer: client.producer_with(channel, options.clone()).await?,
                number: u32::try_from(number).unwrap_or(u32::MAX),
                next: 0,
                size: load.size.max(NUMBERS),
                record: Arc::clone(record),
            });
        }
        Ok(Self {
            idle,
            at_work: JoinSet::new(),
            over: Arc::default(),
            load,
        })
    }

    /// Publishes so many bytes and waits until they are acknowledged.
    pub(super) async fn preload(&mut self, bytes: u64) -> Result<(), Error> {
        let Some(publisher) = self.idle.first_mut() else {
            return Ok(());
        };
        let size = publisher.size as u64;
        let (mut left, mut under_way) = (bytes.div_ceil(size), VecDeque::new());
        while left > 0 || !under_way.is_empty() {
            if left > 0 && under_way.len() < FILLING_AT_ONCE {
                let count = u32::try_from(left).unwrap_or(FILLING).min(FILLING);
                under_way.extend(publisher.hand_over(count, Instant::now()).await?);
                left -= u64::from(count);
            } else if let Some(sent) = under_way.pop_front() {
                settle(&publisher.record, sent).await;
            }
        }
        Ok(())
    }

    /// Publishes from now on.
    pub(super) fn start(&mut self) {
        for publisher in self.idle.drain(..) {
            let over = Arc::clone(&self.over);
            match self.load.pace {
                Pace::Steady(interval) => self.at_work.spawn(publisher.steady(interval, over)),
                Pace::Saturating { batches, batch } => {
                    self.at_work.spawn(publisher.saturate(batches, batch, over))
                }
            };
        }
    }

    /// Ends when all that was handed over is acknowledged or has failed.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        self.over.store(true, Ordering::Release);
        while let Some(ended) = self.at_work.join_next().await {
            ended.map_err(|failed| Error::Process {
                what: "publish",
                source: failed.into(),
            })??;
        }
        Ok(())
    }
}

/// One producer, whose events are numbered so that each can be found again.
struct Publisher {
    producer: Producer,
    number: u32,
    next: u32,
    size: usize,
    record: Arc<Record>,
}

/// Events on their way.
struct Sent {
    ticket: BatchTicket,
    producer: u32,
    first: u32,
    events: u32,
    begun: Instant,
}

impl Publisher {
    /// `None` if the producer takes nothing any more.
    async fn hand_over(&mut self, events: u32, begun: Instant) -> Result<Option<Sent>, Error> {
        let first = self.next;
        let mut block = EventBlock::builder();
        for number in first..first + events {
            let event = Event::new(payload(self.number, number, self.size));
            block.push(&event).map_err(tetrarch_client::Error::from)?;
        }
        self.next += events;
        match self.producer.send_block(block.finish()).await {
            Ok(ticket) => Ok(Some(Sent {
                ticket,
                producer: self.number,
                first,
                events,
                begun,
            })),
            Err(error) => {
                self.record.failed(&error);
                Ok(None)
            }
        }
    }

    /// Hands over one event at each point of a schedule that waits for nothing. If an event is late
    /// because an earlier one was held back, that is part of its latency.
    async fn steady(mut self, interval: Duration, over: Arc<AtomicBool>) -> Result<(), Error> {
        let (sent, mut waiting) = mpsc::channel(STEADY_WAITING);
        let record = Arc::clone(&self.record);
        let settling = tokio::spawn(async move {
            while let Some(one) = waiting.recv().await {
                settle(&record, one).await;
            }
        });
        let mut due = Instant::now();
        while !over.load(Ordering::Acquire) {
            let begun = if Instant::now() < due {
                sleep_until(due.into()).await;
                Instant::now()
            } else {
                due
            };
            let Some(one) = self.hand_over(1, begun).await? else {
                break;
            };
            if sent.send(one).await.is_err() {
                break;
            }
            due += interval;
        }
        drop(sent);
        settling.await.map_err(|failed| Error::Process {
            what: "wait for acknowledgements",
            source: failed.into(),
        })
    }

    async fn saturate(
        mut self,
        batches: usize,
        batch: u32,
        over: Arc<AtomicBool>,
    ) -> Result<(), Error> {
        let mut under_way = VecDeque::new();
        while !over.load(Ordering::Acquire) {
            match self.hand_over(batch, Instant::now()).await? {
                Some(sent) => under_way.push_back(sent),
                None => break,
            }
            while under_way.len() >= batches
                && let Some(sent) = under_way.pop_front()
            {
                settle(&self.record, sent).await;
            }
        }
        for sent in under_way {
            settle(&self.record, sent).await;
        }
        Ok(())
    }
}

async fn settle(record: &Record, sent: Sent) {
    match sent.ticket.acked().await {
        Ok(ack) => {
            let operation = Operation {
                producer: sent.producer,
                first: sent.first,
                events: sent.events,
                begun: sent.begun,
                ended: Instant::now(),
            };
            record.acknowledged(operation, ack.last_seq(), ack.copies);
        }
        Err(error) => record.failed(&error),
    }
}

fn payload(producer: u32, number: u32, size: usize) -> Bytes {
    let mut payload = vec![b'.'; size];
    payload[..4].copy_from_slice(&producer.to_le_bytes());
    payload[4..NUMBERS].copy_from_slice(&number.to_le_bytes());
    Bytes::from(payload)
}

/// The producer and number of an event; `None` if it is none of ours.
pub(super) fn numbers(payload: &[u8]) -> Option<(u32, u32)> {
    let (producer, rest) = payload.split_first_chunk()?;
    let number = rest.first_chunk()?;
    Some((u32::from_le_bytes(*producer), u32::from_le_bytes(*number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_tells_its_producer_and_number() {
        let payload = payload(3, 70_000, 16);
        assert_eq!(payload.len(), 16);
        assert_eq!(numbers(&payload), Some((3, 70_000)));
        assert_eq!(numbers(b"short"), None);
    }

    #[test]
    fn a_load_says_what_it_is() {
        let plan = MovePlan {
            size: 256,
            rate: 500,
            in_flight: 4_096,
            batch: 64,
            preload: 0,
            warmup: Duration::ZERO,
            measured: Duration::ZERO,
        };
        let steady = Load::steady(&plan).to_string();
        assert_eq!(steady, "one producer, 500 events/s of 256 B");
        let saturating = Load::saturating(&plan).to_string();
        assert_eq!(
            saturating,
            "4 producers at saturation, each with 16 batches of 64 events of 256 B in flight"
        );
    }
}
