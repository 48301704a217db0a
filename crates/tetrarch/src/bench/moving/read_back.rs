//! Looking for every acknowledged event after a move.

use tetrarch_client::{Client, FetchFrom, SubscribeOptions};

use super::load::numbers;
use super::record::{Operation, Record};
use crate::error::Error;

/// What was found of the acknowledged events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Events that were acknowledged.
    pub(super) acknowledged: u64,
    /// Those of them that are not there.
    pub(super) lost: u64,
    /// Events that are there more than once.
    pub(super) repeated: u64,
    /// Events that come after one with a higher number of the same producer.
    pub(super) misplaced: u64,
}

/// Reads the channel from its start to the last acknowledged event.
pub(super) async fn run(client: &Client, channel: &str, record: &Record) -> Result<Found, Error> {
    let last = record.lock().last;
    let mut sightings = Sightings::default();
    let mut events = client.subscribe(channel, FetchFrom::Start, SubscribeOptions::default());
    while events.next_seq().is_none_or(|next| next <= last) {
        let batch = events.next_batch().await?;
        for event in batch.events() {
            sightings.note(&event.payload);
        }
        if batch.last_seq() >= last {
            break;
        }
    }
    Ok(sightings.found(&record.lock().operations))
}

/// How often each event was seen, by producer and number.
#[derive(Debug, Default)]
struct Sightings {
    times: Vec<Vec<u8>>,
    misplaced: u64,
}

impl Sightings {
    fn note(&mut self, payload: &[u8]) {
        let Some((producer, number)) = numbers(payload) else {
            return;
        };
        let (producer, number) = (producer as usize, number as usize);
        if self.times.len() <= producer {
            self.times.resize(producer + 1, Vec::new());
        }
        let times = &mut self.times[producer];
        if number < times.len() {
            self.misplaced += 1;
        } else {
            times.resize(number + 1, 0);
        }
        times[number] = times[number].saturating_add(1);
    }

    fn found(&self, operations: &[Operation]) -> Found {
        let seen = |producer: u32, number: u32| {
            let times = self.times.get(producer as usize);
            times.and_then(|times| times.get(number as usize)).copied()
        };
        let lost = |one: &Operation| {
            let numbers = one.first..one.first + one.events;
            let unseen = numbers.filter(|number| seen(one.producer, *number).unwrap_or(0) == 0);
            unseen.count() as u64
        };
        let repeated = self.times.iter().flatten().filter(|times| **times > 1);
        Found {
            acknowledged: operations.iter().map(|one| u64::from(one.events)).sum(),
            lost: operations.iter().map(lost).sum(),
            repeated: repeated.count() as u64,
            misplaced: self.misplaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn found(seen: &[(u32, u32)]) -> Found {
        let now = Instant::now();
        let operation = |producer, first, events| Operation {
            producer,
            first,
            events,
            begun: now,
            ended: now,
        };
        let mut sightings = Sightings::default();
        for (producer, number) in seen {
            let head = [producer.to_le_bytes(), number.to_le_bytes()].concat();
            sightings.note(&head);
        }
        sightings.found(&[operation(0, 0, 2), operation(1, 0, 1)])
    }

    #[test]
    fn what_is_lost_repeated_or_misplaced_is_counted() {
        let good = Found {
            acknowledged: 3,
            lost: 0,
            repeated: 0,
            misplaced: 0,
        };
        assert_eq!(found(&[(0, 0), (1, 0), (0, 1)]), good);
        // What was not acknowledged may be there.
        assert_eq!(found(&[(0, 0), (1, 0), (0, 1), (0, 2)]), good);
        assert_eq!(found(&[(0, 1), (1, 0)]), Found { lost: 1, ..good });
        assert_eq!(found(&[(0, 0), (0, 1)]), Found { lost: 1, ..good });
        let twice = Found {
            repeated: 1,
            misplaced: 1,
            ..good
        };
        assert_eq!(found(&[(0, 0), (0, 1), (0, 0), (1, 0)]), twice);
    }
}
