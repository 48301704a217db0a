//! Producers. Idempotent ones retry until they are answered, and cut their retries differently. The
//! others send again only what they are told was not appended.

use std::collections::BTreeMap;

use bytes::Bytes;
use tetrarch_replica::{ProduceRequest, Ticket};
use tetrarch_wire::{
    Event, ProducerEpoch, ProducerId, ProducerSeq, Seq,
    batch::EventBlock,
    frame::{AppendedRun, ProduceOutcome, RetryReason},
};

use crate::{dice::Dice, world::ChannelIndex};

/// One producer.
#[derive(Clone, Debug)]
pub(crate) struct Producer {
    pub(crate) id: ProducerId,
    pub(crate) channel: ChannelIndex,
    /// The first number that was not acknowledged.
    pub(crate) next: u64,
    pub(crate) waiting_for: Option<Ticket>,
    /// The node that it asks; chosen when it is not known.
    pub(crate) node: Option<usize>,
    /// Acknowledged: number to seq.
    acknowledged: BTreeMap<u64, Seq>,
}

/// What a ticket was for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) producer: usize,
    pub(crate) channel: ChannelIndex,
    pub(crate) base: u64,
    pub(crate) count: u64,
}

const PADDING: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// The payload of a producer's event: no two are alike.
pub(crate) fn payload(producer: usize, number: u64) -> Bytes {
    Bytes::from(format!("{producer}:{number}:{PADDING}"))
}

/// Whose event this payload is, and which.
pub(crate) fn sender_of(payload: &[u8]) -> Option<(u8, u64)> {
    let mut parts = std::str::from_utf8(payload).ok()?.split(':');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Producer {
    pub(crate) fn draw(index: usize, channels: usize, dice: &mut Dice) -> Self {
        let mut id = [0; 16];
        id[0] = u8::try_from(index + 1).expect("there are few producers");
        let id = if dice.permille(200) {
            ProducerId::ANONYMOUS
        } else {
            ProducerId::from_bytes(id)
        };
        Self {
            id,
            channel: dice.index(channels),
            next: 1,
            waiting_for: None,
            node: None,
            acknowledged: BTreeMap::new(),
        }
    }

    /// It will never know what became of this, and goes on. An idempotent one asks again.
    pub(crate) fn leaves_open(&mut self, asked: Asked) {
        if !self.id.is_idempotent() {
            self.next = self.next.max(asked.base + asked.count);
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
        let again = if self.id.is_idempotent() && dice.permille(50) {
            dice.between(1, 4)
        } else {
            0
        };
        let base = self.next.saturating_sub(again).max(1);
        let count = dice.between(1, 6) + self.next - base;
        let mut block = EventBlock::builder();
        for number in base..base + count {
            let pushed = block.push(&Event::new(payload(index, number)));
            pushed.expect("a few small events are a block");
        }
        self.waiting_for = Some(ticket);
        let request = ProduceRequest {
            ticket,
            producer: self.id,
            producer_epoch: ProducerEpoch::new(0),
            base_producer_seq: ProducerSeq::new(base),
            events: block.finish(),
        };
        let asked = Asked {
            producer: index,
            channel: self.channel,
            base,
            count,
        };
        (request, asked)
    }

    /// Takes the answer in: the events that are acknowledged, with their seqs.
    /// Where an event is may change at a heal (`may_move`).
    pub(crate) fn answered(
        &mut self,
        asked: Asked,
        runs: &[AppendedRun],
        may_move: bool,
    ) -> Vec<(u64, Seq)> {
        let seqs = runs
            .iter()
            .flat_map(|run| (0..u64::from(run.count)).map(|offset| run.first.plus(offset)));
        let placed: Vec<(u64, Seq)> = (asked.base..asked.base + asked.count).zip(seqs).collect();
        for (number, seq) in &placed {
            let before = self.acknowledged.insert(*number, *seq);
            assert!(
                may_move || before.is_none_or(|before| before == *seq),
                "I14: event {number} of producer {} moved from {before:?} to {seq}",
                asked.producer
            );
        }
        self.next = self.next.max(asked.base + asked.count);
        placed
    }
}

/// How many milliseconds a producer waits after an answer that is none.
pub(crate) const fn wait_after(outcome: &ProduceOutcome) -> u64 {
    match outcome {
        ProduceOutcome::Retry {
            reason: RetryReason::QueueFull,
            ..
        } => 20,
        ProduceOutcome::StorageFull => 50,
        _ => 10,
    }
}
