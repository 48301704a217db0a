//! How many events a second the protocol core alone takes: one leader and two followers in
//! memory, 256-byte events in requests of a hundred, disks and network that take no time.
//!
//! ```text
//! cargo run --release -p tetrarch-replica --example throughput
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it is a measurement"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the core reads no clock; a measurement must"
)]

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use tetrarch_replica::{
    Chance, Context, Effect, Input, Moment, Now, ProduceRequest, Recovered, Replica, Settings,
    Ticket,
};
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, Event, NodeId, ProducerEpoch, ProducerId, ProducerSeq,
    StoreId, Voter, batch::EventBlock, frame::ProduceOutcome,
};

const PRODUCERS: u64 = 4;
const PER_REQUEST: u32 = 100;
const REQUESTS: u64 = 40_000;
const IN_FLIGHT: u64 = 40;

struct NoChance;

impl Chance for NoChance {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

struct Mesh {
    replicas: Vec<Replica>,
    ids: Vec<tetrarch_wire::VoterId>,
    queue: VecDeque<(usize, Input)>,
    now: u64,
    acked: u64,
    steps: u64,
}

impl Mesh {
    fn new() -> Self {
        let voters = (1..=3).map(|byte| Voter {
            node: NodeId::from_bytes([byte; 16]),
            store: StoreId::from_bytes([byte; 16]),
        });
        let config = ChannelConfig::genesis(ChannelClass::Quorum, voters.collect()).unwrap();
        let ids: Vec<_> = config.voters().iter().map(Voter::id).collect();
        let replicas = ids.iter().enumerate().map(|(index, id)| {
            let settings = Settings {
                stand_first: index == 0,
                ..Settings::default()
            };
            let uid = ChannelUid::derive("throughput", &[0; 16]);
            let recovered = Recovered::empty(&config);
            Replica::new(*id, uid, config.clone(), settings, recovered, now(0)).unwrap()
        });
        Self {
            replicas: replicas.collect(),
            ids,
            queue: VecDeque::new(),
            now: 0,
            acked: 0,
            steps: 0,
        }
    }

    fn step(&mut self, node: usize, input: Input) {
        let mut effects = Vec::new();
        let mut context = Context {
            now: now(self.now),
            chance: &mut NoChance,
            effects: &mut effects,
        };
        self.replicas[node].step(input, &mut context);
        self.steps += 1;
        for effect in effects {
            match effect {
                Effect::Persist { token, .. } => {
                    self.queue.push_back((node, Input::Persisted { token }));
                }
                Effect::Send {
                    to, epoch, message, ..
                } => {
                    let to = self.ids.iter().position(|id| *id == to).unwrap();
                    let from = self.ids[node];
                    let input = Input::Message {
                        from,
                        epoch,
                        message,
                    };
                    self.queue.push_back((to, input));
                }
                Effect::Reply { outcome, .. } => {
                    assert!(
                        matches!(outcome, ProduceOutcome::Appended { .. }),
                        "{outcome:?}"
                    );
                    self.acked += 1;
                }
                _ => {}
            }
        }
    }

    /// Lets everything that is on its way arrive.
    fn settle(&mut self) {
        while let Some((node, input)) = self.queue.pop_front() {
            self.step(node, input);
        }
    }
}

fn now(nanos: u64) -> Now {
    Now {
        mono: Moment::from_nanos(nanos),
        wall_ms: 0,
    }
}

fn block() -> EventBlock {
    let mut builder = EventBlock::builder();
    for _ in 0..PER_REQUEST {
        let event = Event::new(Bytes::from(vec![7; 256]));
        builder.push(&event).unwrap();
    }
    builder.finish()
}

fn request(number: u64, events: &EventBlock) -> ProduceRequest {
    let producer = u8::try_from(number % PRODUCERS + 1).unwrap();
    let base = (number / PRODUCERS) * u64::from(PER_REQUEST) + 1;
    ProduceRequest {
        ticket: Ticket(number),
        producer: ProducerId::from_bytes([producer; 16]),
        producer_epoch: ProducerEpoch::new(0),
        base_producer_seq: ProducerSeq::new(base),
        events: events.clone(),
    }
}

fn main() {
    let mut mesh = Mesh::new();
    for node in [1, 2, 0] {
        mesh.step(node, Input::Select);
    }
    mesh.settle();
    let events = block();
    let before = mesh.steps;
    let start = Instant::now();
    let mut number = 0;
    while number < REQUESTS {
        for _ in 0..IN_FLIGHT {
            mesh.step(0, Input::Produce(request(number, &events)));
            number += 1;
        }
        mesh.step(0, Input::Flush);
        mesh.settle();
        mesh.now += 1_000;
    }
    let took = start.elapsed();
    assert_eq!(mesh.acked, REQUESTS);
    let total = REQUESTS * u64::from(PER_REQUEST);
    let steps = mesh.steps - before;
    println!("{total} events of 256 B in {took:?} through three replicas, {steps} steps");
    println!("{:.0} events/s", total as f64 / took.as_secs_f64());
    println!("{:.2} µs a step", took.as_secs_f64() * 1e6 / steps as f64);
}
