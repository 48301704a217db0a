//! Consumers: they read what is committed from any replica, as a subscription does, and whatever
//! they get must be what everybody else gets at that seq (I10, I26).

use tetrarch_replica::CommittedRead;
use tetrarch_wire::{Batch, Seq};

use crate::world::{ChannelIndex, Event, MS, World};

/// Most bytes of one read.
const READ_BYTES: usize = 20_000;

/// A consumer of one channel.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    channel: ChannelIndex,
    next: Seq,
}

impl Consumer {
    pub(crate) const fn new(channel: ChannelIndex) -> Self {
        Self {
            channel,
            next: Seq::FIRST,
        }
    }
}

impl World {
    pub(crate) fn consume(&mut self, consumer: usize) {
        let pause = self.dice.between(5, 60) * MS;
        self.at(pause, Event::Consume { consumer });
        let Consumer { channel, next } = self.consumers[consumer];
        let node = self.any_holder(channel);
        let Some(batches) = self.committed_from(node, channel, next) else {
            return;
        };
        match batches {
            Ok(batches) => {
                for batch in &batches {
                    self.tally.count("consumed batches");
                    if !self.channels[channel].is_available() {
                        self.chronicle
                            .i26_served_is_what_is_committed(channel, batch);
                    }
                    self.consumers[consumer].next = batch.last_seq().next();
                }
            }
            Err(log_start) => self.consumers[consumer].next = log_start,
        }
    }

    /// What a node would serve from a seq: batches, the first seq it still has, or nothing yet.
    fn committed_from(
        &self,
        node: usize,
        channel: ChannelIndex,
        from: Seq,
    ) -> Option<Result<Vec<Batch>, Seq>> {
        let known = &self.nodes[node];
        if known.paused_since.is_some() {
            return None;
        }
        let process = known.process.as_ref()?;
        let (replica, _) = self.member(node, channel)?;
        let batches = match replica.read_committed(from, READ_BYTES) {
            CommittedRead::Batches(batches) => batches,
            CommittedRead::InLog { upto } => {
                let uid = self.channels[channel].uid;
                let read = process.reader.read(uid, from, READ_BYTES);
                let mut batches = read.ok()?.batches;
                batches.retain(|batch| batch.last_seq() <= upto);
                batches
            }
            CommittedRead::NotYet | CommittedRead::Halted(_) => return None,
            CommittedRead::Trimmed { log_start } => return Some(Err(log_start)),
        };
        Some(Ok(batches))
    }
}
