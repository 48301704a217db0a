//! Readers that follow the channel on one node each, one that asks for linearizable reads, and the
//! reading of a whole node at the end.

use std::time::Duration;

use tetrarch_client::{Client, FetchFrom, FetchOptions};
use tetrarch_tests::{
    Dice,
    history::{Drained, Read, Stored},
};
use tetrarch_wire::{Seq, frame::ReadMode};
use tokio::{sync::watch, time::sleep};

use super::{
    CHANNEL,
    record::{Clock, told},
};

pub(crate) const PAUSE: Duration = Duration::from_millis(20);
pub(crate) const WAIT: Duration = Duration::from_millis(100);
/// Of a thousand reads so many go back to a place that was read long ago.
const GOES_BACK: u64 = 10;

/// What a reader is given.
pub(crate) struct Reading {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) dice: Dice,
    pub(crate) stop: watch::Receiver<bool>,
}

/// Follows the committed log of one node.
pub(crate) async fn follow(mut reading: Reading, node: String) -> Vec<Read> {
    let options = FetchOptions {
        max_bytes: 64 << 10,
        wait: WAIT,
        node: Some(node),
        ..FetchOptions::default()
    };
    let mut reads: Vec<Read> = Vec::new();
    let mut next = 1;
    while !*reading.stop.borrow() {
        if reading.dice.per_mille(GOES_BACK) {
            next = reading.dice.between(1, next);
        }
        if let Some(read) = read(&reading, next, &options).await {
            next = read.end;
            reads.push(read);
        }
        sleep(PAUSE).await;
    }
    reads
}

/// Asks again and again for what is known to be committed now, and for the end of the log.
pub(crate) async fn linearizable(reading: Reading) -> Vec<Read> {
    let options = FetchOptions {
        mode: ReadMode::Linearizable,
        max_bytes: 16 << 10,
        ..FetchOptions::default()
    };
    let mut reads = Vec::new();
    while !*reading.stop.borrow() {
        let invoked = reading.clock.now();
        if let Ok(point) = reading.client.read_index(CHANNEL).await {
            let bound = point.commit.get();
            reads.push(Read {
                node: "the leader".into(),
                linearizable: true,
                invoked,
                completed: reading.clock.now(),
                from: bound + 1,
                end: bound + 1,
                bound,
                events: Vec::new(),
            });
            let from = bound.saturating_sub(50).max(1);
            reads.extend(read(&reading, from, &options).await);
        }
        sleep(PAUSE).await;
    }
    reads
}

async fn read(reading: &Reading, from: u64, options: &FetchOptions) -> Option<Read> {
    let invoked = reading.clock.now();
    let place = FetchFrom::Seq(Seq::new(from));
    let fetched = reading.client.fetch(CHANNEL, place, options).await.ok()?;
    let (events, end) = told(&fetched, from);
    Some(Read {
        node: fetched.node.as_str().into(),
        linearizable: options.mode == ReadMode::Linearizable,
        invoked,
        completed: reading.clock.now(),
        from,
        end,
        bound: fetched.commit.get(),
        events,
    })
}

/// Reads everything up to `last` from one node, for as long as that takes: the caller has patience
/// or not.
pub(crate) async fn drain(client: &Client, node: &str, last: u64) -> Drained {
    let options = FetchOptions {
        wait: WAIT,
        node: Some(node.to_owned()),
        ..FetchOptions::default()
    };
    let mut all: Vec<Stored> = Vec::new();
    let mut next = 1;
    while next <= last {
        let place = FetchFrom::Seq(Seq::new(next));
        match client.fetch(CHANNEL, place, &options).await {
            Ok(fetched) => {
                let (events, end) = told(&fetched, next);
                all.extend(events);
                next = end;
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
    Drained {
        node: node.into(),
        events: all,
    }
}
