//! The snapshot of who votes and of producers, which is taken over at a start, and what a leader answers
//! by it.

use std::collections::BTreeMap;

use bytes::Bytes;
use tetrarch_replica::{
    Chance, Context, Effect, Input, Now, ProduceRequest, Recovered, RecoveryError, Replica,
    Settings, Ticket,
};
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, Event, NodeId, ProducerEpoch, ProducerId, ProducerSeq,
    Seq, StoreId, Voter, batch::EventBlock, frame::ProduceOutcome,
};

use crate::cursor::Cursor;

/// The producers as they are written: what the private types of their table look like in bytes.
type Runs = Vec<(u64, u32, u64, [u8; 16])>;
type Table = BTreeMap<[u8; 16], (u32, u64, Runs)>;

/// Any snapshot is refused, or taken over as it is; then every request of a producer has one answer,
/// which tells of as many events as were sent.
pub fn producers(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let mut cursor = Cursor::new(rest);
    let snapshot = match kind {
        0..=63 => rest.to_vec(),
        64..=255 => with_front(&table(&mut cursor)),
    };
    let Some(replica) = replica(&snapshot) else {
        return;
    };
    let (_, kept) = replica.snapshot();
    let again = self::replica(&kept).expect("what was written can be read");
    assert_eq!(again.snapshot().1, kept);
    Leader::of(replica).serve(&mut cursor);
}

/// What comes before the producers: who votes, and what was trimmed.
fn with_front(table: &Table) -> Vec<u8> {
    let front = (genesis().encode(), Seq::ZERO);
    let front = postcard::to_allocvec(&front).expect("bytes and a number serialise");
    let table = postcard::to_allocvec(table).expect("a table serialises");
    [front, table].concat()
}

/// A table that a log may have made, or nearly.
fn table(cursor: &mut Cursor<'_>) -> Table {
    let mut table = Table::new();
    for id in 0..cursor.below(4) {
        let mut next = 1 + u64::from(cursor.byte());
        let mut seq = cursor.number();
        let mut runs = Vec::new();
        for _ in 0..cursor.below(5) {
            let count = match cursor.byte() {
                0..=249 => 1 + u32::from(cursor.byte()),
                _ => u32::try_from(cursor.number()).unwrap_or(u32::MAX),
            };
            runs.push((next, count, seq, [cursor.byte(); 16]));
            next = next.saturating_add(count.into());
            seq = seq.saturating_add(u64::from(count) + u64::from(cursor.byte() % 3));
            if cursor.happens(8) {
                next = cursor.number();
            }
        }
        let key = [u8::try_from(id).unwrap_or(0); 16];
        table.insert(key, (u32::from(cursor.byte() % 2), next, runs));
    }
    table
}

fn voter() -> Voter {
    Voter {
        node: NodeId::from_bytes([1; 16]),
        store: StoreId::from_bytes([1; 16]),
    }
}

fn genesis() -> ChannelConfig {
    let genesis = ChannelConfig::genesis(ChannelClass::Quorum, vec![voter()]);
    genesis.expect("one voter is a genesis")
}

/// The only voter of a channel, whose start finds this snapshot. `None` if it is refused, or somebody else
/// votes.
fn replica(snapshot: &[u8]) -> Option<Replica> {
    let genesis = genesis();
    let recovered = Recovered {
        snapshot: Some((Seq::ZERO, Bytes::copy_from_slice(snapshot))),
        ..Recovered::empty(&genesis)
    };
    let settings = Settings {
        stand_first: true,
        producer_window: 3,
        ..Settings::default()
    };
    let uid = ChannelUid::from_bytes([0; 32]);
    match Replica::new(voter().id(), uid, genesis, settings, recovered, NOW) {
        Ok(replica) => Some(replica).filter(|replica| *replica.config() == self::genesis()),
        Err(RecoveryError::Snapshot(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

const NOW: Now = Now {
    mono: tetrarch_replica::Moment::from_nanos(1_000_000_000),
    wall_ms: 1_000,
};

struct NoChance;

impl Chance for NoChance {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

struct Leader {
    replica: Replica,
    /// How many events each request has sent that was not answered.
    asked: BTreeMap<Ticket, u32>,
}

impl Leader {
    fn of(replica: Replica) -> Self {
        let asked = BTreeMap::new();
        let mut leader = Self { replica, asked };
        leader.step(Input::Select);
        assert!(leader.replica.leader_row().is_some(), "a lone voter leads");
        leader
    }

    fn serve(&mut self, cursor: &mut Cursor<'_>) {
        let mut ticket = 0;
        while !cursor.is_empty() {
            ticket += 1;
            let count = 1 + cursor.byte() % 8;
            let mut events = EventBlock::builder();
            for _ in 0..count {
                let pushed = events.push(&Event::new(Bytes::from_static(b"e")));
                pushed.expect("a small event fits");
            }
            self.asked.insert(Ticket(ticket), count.into());
            self.step(Input::Produce(ProduceRequest {
                ticket: Ticket(ticket),
                producer: ProducerId::from_bytes([cursor.byte() % 5; 16]),
                producer_epoch: ProducerEpoch::new(u32::from(cursor.byte() % 3)),
                base_producer_seq: ProducerSeq::new(cursor.number()),
                events: events.finish(),
            }));
            self.step(Input::Flush);
        }
    }

    /// Every write is durable at once.
    fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut effects = Vec::new();
            self.replica.step(
                input,
                &mut Context {
                    now: NOW,
                    chance: &mut NoChance,
                    effects: &mut effects,
                },
            );
            for effect in effects {
                match effect {
                    Effect::Persist { token, .. } => inputs.insert(0, Input::Persisted { token }),
                    Effect::Reply { ticket, outcome } => self.answered(ticket, &outcome),
                    Effect::TransitionRejected(error) => panic!("{error}"),
                    Effect::Halted(reason) => panic!("{reason:?}"),
                    _ => {}
                }
            }
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &ProduceOutcome) {
        let sent = self
            .asked
            .remove(&ticket)
            .expect("a request is answered twice");
        if let ProduceOutcome::Appended { runs, .. } = outcome {
            let told: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
            assert_eq!(told, u64::from(sent), "{outcome:?}");
        }
    }
}
