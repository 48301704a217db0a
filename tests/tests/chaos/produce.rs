//! A producer that never rests: bursts of events, many on their way at once, each recorded.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tetrarch_client::{Client, Error, Producer, ProducerOptions, Ticket};
use tetrarch_tests::{
    Dice,
    history::{Append, EventName, Outcome},
};
use tetrarch_wire::Event;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    CHANNEL,
    record::{Clock, outcome},
};

/// Events that wait for their outcome at most.
const ON_THEIR_WAY: usize = 512;
/// From one burst to the next.
const PAUSE: Duration = Duration::from_millis(10);
const MOST_IN_A_BURST: u64 = 8;

/// What a producer is given.
pub(crate) struct Producing {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) number: u32,
    pub(crate) dice: Dice,
    /// After which time it gives an event up.
    pub(crate) patience: Duration,
    pub(crate) stop: watch::Receiver<bool>,
    /// Counts what is acknowledged.
    pub(crate) acknowledged: Arc<AtomicU64>,
}

type Sent = (Append, Ticket);

/// Produces until it is told to stop and everything is settled.
pub(crate) async fn produce(mut producing: Producing) -> Vec<Append> {
    let (sent, settling) = mpsc::channel(ON_THEIR_WAY);
    let settled = tokio::spawn(settle(
        settling,
        producing.clock,
        Arc::clone(&producing.acknowledged),
    ));
    let mut unsent = Vec::new();
    let mut next = 1;
    let mut incarnation = 0;
    let mut producer: Option<Producer> = None;
    let mut due = Instant::now();
    while !*producing.stop.borrow() {
        let Some(open) = producer.clone() else {
            producer = open_producer(&producing).await;
            // Another idempotent producer: what the one before left behind may still come.
            incarnation += u32::from(producer.is_some());
            continue;
        };
        for _ in 0..producing.dice.between(1, MOST_IN_A_BURST) {
            let append = begin(&producing, incarnation, next);
            next += 1;
            let event = Event::new(append.payload.to_string().into());
            match open.send(event).await {
                Ok(ticket) => sent.send((append, ticket)).await.expect("it is settled"),
                Err(error) => {
                    unsent.push(refused(append, producing.clock, &error));
                    producer = None;
                    break;
                }
            }
        }
        due += PAUSE;
        tokio::select! {
            () = sleep_until(due) => due = due.max(Instant::now()),
            _ = producing.stop.changed() => {}
        }
    }
    drop(sent);
    let mut appends = settled.await.expect("everything is settled");
    appends.extend(unsent);
    appends
}

async fn open_producer(producing: &Producing) -> Option<Producer> {
    let options = ProducerOptions {
        deliver_within: producing.patience,
        ..ProducerOptions::default()
    };
    match producing.client.producer_with(CHANNEL, options).await {
        Ok(producer) => Some(producer),
        Err(_) => {
            sleep(PAUSE).await;
            None
        }
    }
}

fn begin(producing: &Producing, incarnation: u32, number: u64) -> Append {
    let name = EventName {
        producer: producing.number * 1_000 + incarnation,
        number,
    };
    Append {
        payload: format!("{}:{number}", name.producer).into(),
        name,
        invoked: producing.clock.now(),
        completed: u64::MAX,
        outcome: Outcome::Indeterminate,
    }
}

/// It was never handed over.
fn refused(append: Append, clock: Clock, error: &Error) -> Append {
    let outcome = match outcome(&Err(error.clone())) {
        Outcome::Indeterminate => Outcome::Refused,
        told => told,
    };
    Append {
        completed: clock.now(),
        outcome,
        ..append
    }
}

async fn settle(
    mut sent: mpsc::Receiver<Sent>,
    clock: Clock,
    acknowledged: Arc<AtomicU64>,
) -> Vec<Append> {
    let mut appends = Vec::new();
    while let Some((append, ticket)) = sent.recv().await {
        let outcome = outcome(&ticket.acked().await);
        if matches!(outcome, Outcome::Acknowledged { .. }) {
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        appends.push(Append {
            completed: clock.now(),
            outcome,
            ..append
        });
    }
    appends
}
