//! What is asked of the store: groups of changes of a few channels, each of which it must accept.

use tetrarch_log::{WriteOp, WriteRequest};
use tetrarch_wire::{
    Batch, ChannelUid, Epoch, Event, HardState, LogPosition, ProducerEpoch, ProducerId,
    ProducerSeq, VoterId,
    batch::{BatchDraft, EventBlock},
};

use super::{
    Cursor,
    history::{GENESIS, History},
    ledger::Ledger,
};

const LEADER: VoterId = VoterId::from_bytes([7; 16]);

impl History {
    pub(super) fn requests(&mut self, cursor: &mut Cursor<'_>) -> Vec<WriteRequest> {
        self.group += 1;
        let mut after = self.ledger.clone();
        let mut requests = Vec::new();
        for _ in 0..=cursor.below(2) {
            let slot = cursor.below(3);
            let number = u8::try_from(slot).unwrap_or(0) + 3 * self.lives[slot];
            let mut request = WriteRequest {
                channel: ChannelUid::from_bytes([1 + number; 32]),
                ops: Vec::new(),
            };
            for _ in 0..=cursor.below(3) {
                let op = self.op(request.channel, &after, cursor);
                let only = WriteRequest {
                    channel: request.channel,
                    ops: vec![op],
                };
                after.gives(self.group, std::slice::from_ref(&only));
                let is_delete = only.ops[0] == WriteOp::Delete;
                request.ops.extend(only.ops);
                if is_delete {
                    self.lives[slot] += 1;
                    break;
                }
            }
            requests.push(request);
        }
        requests
    }

    fn op(&mut self, channel: ChannelUid, after: &Ledger, cursor: &mut Cursor<'_>) -> WriteOp {
        let Some(state) = after.now(channel) else {
            let name = format!("c{}", channel.short());
            let genesis = GENESIS.clone();
            return WriteOp::Open { name, genesis };
        };
        if !state.is_held {
            return WriteOp::TakeUp;
        }
        let count = state.log.len();
        match cursor.byte() {
            0..=139 => {
                let tail = state.tail();
                WriteOp::Append(self.batches(tail, cursor))
            }
            140..=169 => {
                self.epoch += 1;
                let gone = state
                    .log
                    .partition_point(|batch| batch.last_seq() <= state.trim);
                let kept = gone + cursor.below(count - gone + 1);
                WriteOp::Truncate(state.position(kept))
            }
            170..=214 => {
                self.epoch += 1;
                let voted_for = cursor.happens(128);
                WriteOp::HardState(HardState {
                    epoch_seen: Epoch::new(self.epoch, LEADER),
                    voted_for: voted_for.then_some(LEADER),
                    limbo: None,
                })
            }
            215..=229 => {
                let upto = state.position(cursor.below(count + 1)).seq;
                WriteOp::CommitHint(upto)
            }
            230..=246 => {
                let upto = state.position(cursor.below(count + 1)).seq;
                WriteOp::Trim { upto }
            }
            247..=250 => WriteOp::Release,
            251..=255 => WriteOp::Delete,
        }
    }

    fn batches(&mut self, mut tail: LogPosition, cursor: &mut Cursor<'_>) -> Vec<Batch> {
        let mut batches = Vec::new();
        for _ in 0..=cursor.below(3) {
            self.written += 1;
            let size = cursor.pick(&[40, 300, 900, 8, 1_700]);
            let mut payload = vec![self.written.to_le_bytes()[0]; size];
            payload[..8].copy_from_slice(&self.written.to_le_bytes());
            let mut events = EventBlock::builder();
            let pushed = events.push(&Event::new(payload.into()));
            pushed.expect("a small event fits");
            let draft = BatchDraft::data(
                ProducerId::ANONYMOUS,
                ProducerEpoch::default(),
                ProducerSeq::ZERO,
                events.finish(),
            );
            let batch = draft.seal(&tail, Epoch::new(self.epoch, LEADER), self.written);
            tail = batch.position();
            batches.push(batch);
        }
        batches
    }
}
