//! What a sender learns about its events. All events of a request share one place where the
//! outcome is put, so that an event's own share of the bookkeeping is a counted reference.

use std::sync::Arc;

use tetrarch_wire::{Epoch, Seq, frame::AppendedRun};
use tokio::sync::watch;

use crate::{Error, Result};

/// Where the events of one request are.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) epoch: Epoch,
    pub(super) runs: Vec<AppendedRun>,
    pub(super) copies: u8,
    pub(super) degraded: bool,
}

impl Appended {
    /// The runs of the events `offset..offset + count`.
    fn part(&self, offset: u32, count: u32) -> impl Iterator<Item = AppendedRun> {
        let (first, end) = (offset, offset + count);
        let mut at = 0;
        self.runs.iter().filter_map(move |run| {
            let (from, to) = (first.max(at), end.min(at + run.count));
            let skipped = from.saturating_sub(at);
            at += run.count;
            (from < to).then(|| AppendedRun {
                first: run.first.plus(skipped.into()),
                count: to - from,
                duplicate: run.duplicate,
            })
        })
    }
}

pub(super) type Outcome = Result<Arc<Appended>>;
pub(super) type Done = watch::Sender<Option<Outcome>>;
type Awaited = watch::Receiver<Option<Outcome>>;

async fn outcome(mut awaited: Awaited) -> Outcome {
    let closed = Error::Closed { what: "producer" };
    let outcome = awaited.wait_for(Option::is_some).await;
    match outcome {
        Ok(outcome) => outcome.clone().unwrap_or(Err(closed)),
        Err(_) => Err(closed),
    }
}

/// An event that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Its place.
    pub seq: Seq,
    /// The epoch in which it was acknowledged.
    pub epoch: Epoch,
    /// On how many stores it is known to be durable.
    pub copies: u8,
    /// Whether that is less than the channel asks for.
    pub degraded: bool,
    /// Whether an earlier try had already put it there.
    pub duplicate: bool,
}

/// Events of one call that are in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchAck {
    /// The epoch in which the last of them was acknowledged.
    pub epoch: Epoch,
    /// Where they are, in their order.
    pub runs: Vec<AppendedRun>,
    /// On how many stores the least durable of them is known to be.
    pub copies: u8,
    /// Whether that is less than the channel asks for.
    pub degraded: bool,
}

impl BatchAck {
    /// Seq of the first event; [`Seq::ZERO`] if there was none.
    #[must_use]
    pub fn first_seq(&self) -> Seq {
        self.runs.first().map_or(Seq::ZERO, |run| run.first)
    }

    /// Seq of the last event; [`Seq::ZERO`] if there was none.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        let end = |run: &AppendedRun| run.first.plus(u64::from(run.count)).previous();
        self.runs.last().map_or(Seq::ZERO, end)
    }

    /// How many events.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.count)).sum()
    }
}

/// An event on its way.
#[derive(Debug)]
#[must_use = "whether the event was appended is known only from its ticket"]
pub struct Ticket {
    awaited: Awaited,
    offset: u32,
}

impl Ticket {
    pub(super) fn new(done: &Done, offset: u32) -> Self {
        Self {
            awaited: done.subscribe(),
            offset,
        }
    }

    /// Waits until the event is in the log.
    ///
    /// # Errors
    /// Why it is not, or why that is unknown.
    pub async fn acked(self) -> Result<Ack> {
        let appended = outcome(self.awaited).await?;
        let run = appended.part(self.offset, 1).next();
        let run = run.ok_or(Error::Closed { what: "producer" })?;
        Ok(Ack {
            seq: run.first,
            epoch: appended.epoch,
            copies: appended.copies,
            degraded: appended.degraded,
            duplicate: run.duplicate,
        })
    }
}

#[derive(Debug)]
struct Part {
    awaited: Awaited,
    offset: u32,
    count: u32,
}

/// The events of one call, on their way in one or more requests.
#[derive(Debug, Default)]
#[must_use = "whether the events were appended is known only from their ticket"]
pub struct BatchTicket {
    parts: Vec<Part>,
}

impl BatchTicket {
    pub(super) fn add(&mut self, done: &Done, offset: u32, count: u32) {
        self.parts.push(Part {
            awaited: done.subscribe(),
            offset,
            count,
        });
    }

    /// Waits until all of the events are in the log.
    ///
    /// # Errors
    /// Why some of them are not, or why that is unknown. Others may be in the log.
    pub async fn acked(self) -> Result<BatchAck> {
        let mut ack = BatchAck {
            epoch: Epoch::NONE,
            runs: Vec::with_capacity(self.parts.len()),
            copies: u8::MAX,
            degraded: false,
        };
        for part in self.parts {
            let appended = outcome(part.awaited).await?;
            ack.runs.extend(appended.part(part.offset, part.count));
            ack.epoch = appended.epoch;
            ack.copies = ack.copies.min(appended.copies);
            ack.degraded |= appended.degraded;
        }
        Ok(ack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: u64, count: u32, duplicate: bool) -> AppendedRun {
        AppendedRun {
            first: Seq::new(first),
            count,
            duplicate,
        }
    }

    #[test]
    fn a_part_of_a_request_is_found_across_its_runs() {
        let appended = Appended {
            epoch: Epoch::NONE,
            runs: vec![run(5, 3, true), run(20, 4, false)],
            copies: 2,
            degraded: false,
        };
        let part = |offset, count| appended.part(offset, count).collect::<Vec<_>>();
        assert_eq!(part(0, 2), [run(5, 2, true)]);
        assert_eq!(part(2, 3), [run(7, 1, true), run(20, 2, false)]);
        assert_eq!(part(6, 1), [run(23, 1, false)]);
        assert_eq!(part(7, 1), []);
    }
}
