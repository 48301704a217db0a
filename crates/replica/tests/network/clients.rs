//! Idempotent producers that retry until they are answered, and cut their retries differently.

use std::collections::BTreeMap;

use bytes::Bytes;
use tetrarch_replica::{ProduceRequest, Ticket};
use tetrarch_wire::{
    Event, ProducerEpoch, ProducerId, ProducerSeq, Seq,
    batch::EventBlock,
    frame::{AppendedRun, ProduceOutcome, RetryReason},
};

use super::chance::Dice;

/// One producer.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) producer: ProducerId,
    /// The first number that was not acknowledged.
    pub(crate) next: u64,
    /// The numbers it has ever sent are below this.
    pub(crate) sent: u64,
    pub(crate) waiting_for: Option<Ticket>,
    pub(crate) node: usize,
    /// Acknowledged: number to seq.
    pub(crate) acked: BTreeMap<u64, Seq>,
}

/// What a ticket was for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) client: usize,
    pub(crate) base: u64,
    pub(crate) count: u64,
}

pub(crate) fn payload(client: usize, number: u64) -> Bytes {
    Bytes::from(format!("{client}:{number}:{}", "x".repeat(40)))
}

impl Client {
    pub(crate) fn new(index: usize, nodes: usize, dice: &mut Dice) -> Self {
        let mut id = [0; 16];
        id[0] = u8::try_from(index + 1).unwrap();
        Self {
            producer: ProducerId::from_bytes(id),
            next: 1,
            sent: 1,
            waiting_for: None,
            node: dice.index(nodes),
            acked: BTreeMap::new(),
        }
    }

    /// The next request: what is not acknowledged, more or less of it than at the last try.
    pub(crate) fn request(
        &mut self,
        index: usize,
        ticket: Ticket,
        dice: &mut Dice,
    ) -> (ProduceRequest, Asked) {
        // Now and then it repeats what was acknowledged long ago.
        let again = if dice.permille(50) {
            dice.between(1, 4)
        } else {
            0
        };
        let base = self.next.saturating_sub(again).max(1);
        let count = dice.between(1, 6) + self.next - base;
        let mut block = EventBlock::builder();
        for number in base..base + count {
            block.push(&Event::new(payload(index, number))).unwrap();
        }
        self.sent = self.sent.max(base + count);
        self.waiting_for = Some(ticket);
        let request = ProduceRequest {
            ticket,
            producer: self.producer,
            producer_epoch: ProducerEpoch::new(0),
            base_producer_seq: ProducerSeq::new(base),
            events: block.finish(),
        };
        let asked = Asked {
            client: index,
            base,
            count,
        };
        (request, asked)
    }

    /// Takes the answer in: the events that are acknowledged, with their seqs.
    pub(crate) fn answered(&mut self, asked: Asked, runs: &[AppendedRun]) -> Vec<(u64, Seq)> {
        let seqs = runs
            .iter()
            .flat_map(|run| (0..u64::from(run.count)).map(|offset| run.first.plus(offset)));
        let placed: Vec<(u64, Seq)> = (asked.base..asked.base + asked.count).zip(seqs).collect();
        for (number, seq) in &placed {
            let before = self.acked.insert(*number, *seq);
            assert!(
                before.is_none_or(|before| before == *seq),
                "I14: event {number} of client {} moved from {before:?} to {seq}",
                asked.client
            );
        }
        self.next = self.next.max(asked.base + asked.count);
        placed
    }
}

/// How long a client waits after an answer that is none.
pub(crate) fn wait_after(outcome: &ProduceOutcome) -> u64 {
    match outcome {
        ProduceOutcome::Retry {
            reason: RetryReason::QueueFull,
            ..
        } => 20,
        ProduceOutcome::StorageFull => 50,
        _ => 10,
    }
}
