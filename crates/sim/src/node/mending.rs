//! Damaged segments are mended: the store says which there are, the replica fetches what they lack, and a
//! channel that could not be taken up because of them is taken up when they are whole.

use tetrarch_log::{CrashDisk, Mended, Reader, RecoveredChannel};
use tetrarch_replica::{Input, MendOutcome};
use tetrarch_wire::{Batch, Seq};

use crate::world::{ChannelIndex, Event, MS, World};

impl World {
    /// Part of each heartbeat, as on a node: damage that is known is mended.
    pub(super) fn mend_what_is_damaged(&mut self, node: usize) {
        let Some(process) = &self.nodes[node].process else {
            return;
        };
        let damaged = process.reader.damaged();
        if damaged.is_empty() {
            return;
        }
        let mut begun = Vec::new();
        self.turn(node, |shard, turn| begun = shard.mend(damaged, turn));
        self.settle_soon(node);
        for (uid, segment) in begun {
            let channel = self.index_of(uid);
            self.tally.count("repairs begun");
            self.trace.say(self.now, node, || {
                format!("c{channel} is mended from {segment} on")
            });
        }
    }

    /// Reads everything that may be damaged, as a node does in the background.
    pub(crate) fn look_for_damage(&self) {
        for node in &self.damaged {
            let known = &self.nodes[*node];
            let Some(process) = &known.process else {
                continue;
            };
            for (channel, expected) in self.channels.iter().zip(&known.expected) {
                if let Some(expected) = expected {
                    expected.check_bytes(channel.uid, &process.reader, true);
                }
            }
        }
    }

    /// A replica wants a segment mended.
    pub(super) fn mend_later(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        (segment, batches): (Seq, Vec<Batch>),
    ) {
        let start = self.nodes[node].starts;
        let took = self.dice.between(1, 20) * MS;
        self.at(
            took,
            Event::Mend {
                node,
                start,
                channel,
                segment,
                batches,
            },
        );
    }

    /// The flusher comes to it.
    pub(crate) fn mend_segment(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        (segment, batches): (Seq, &[Batch]),
    ) {
        let uid = self.channels[channel].uid;
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let mended = process.flusher.mend(uid, segment, batches);
        self.trace
            .say(self.now, node, || format!("c{channel} mended: {mended:?}"));
        let outcome = match mended {
            Ok(Mended::Whole) => {
                self.tally.count("segments mended");
                MendOutcome::Done
            }
            Ok(Mended::Gone) => MendOutcome::Done,
            Ok(Mended::Lacks { after, upto }) => MendOutcome::Lacks {
                after: after.seq,
                upto,
            },
            // What it holds was never committed.
            Ok(Mended::Contradicted) => {
                self.tally.count("segments of another history");
                MendOutcome::Contradicted
            }
            Err(error) => {
                self.tally.count("mending that the disk refused");
                self.store_failed_by(node, error.failure());
                MendOutcome::Failed
            }
        };
        self.step(node, channel, Input::Mended { segment, outcome });
        if outcome == MendOutcome::Done {
            self.take_up_again(node, channel);
        }
    }

    /// A channel that was halted from the start on is opened anew once what a start reads is whole.
    fn take_up_again(&mut self, node: usize, channel: ChannelIndex) {
        let uid = self.channels[channel].uid;
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        if !process.shard.waits_for_mending(uid) {
            return;
        }
        let found = process.reader.recovered(uid);
        let found = found.expect("a running disk says what it holds");
        let found = found.expect("the channel is open");
        if found.halted.is_some() {
            // More of it is damaged than segments, and that is not mended.
            return self.gives_up(node, channel);
        }
        if !can_be_read(&process.reader, &found) {
            return;
        }
        self.tally.count("channels taken up again");
        self.reopen(node, channel, found);
    }
}

/// Whether all of a channel can be read that a start must read.
pub(super) fn can_be_read(reader: &Reader<CrashDisk>, found: &RecoveredChannel) -> bool {
    let saved = found.snapshot.as_ref().map_or(Seq::ZERO, |(seq, _)| *seq);
    let mut next = saved.max(found.log_start.seq).next();
    while next <= found.tail.seq {
        match reader.read(found.channel, next, 1 << 16) {
            Ok(read) => next = read.batches.last().map_or(next, Batch::last_seq).next(),
            Err(_) => return false,
        }
    }
    true
}
