//! Damaged segments are mended: the store says which there are, the replica fetches what they lack from
//! other voters, and a channel that could not be taken up because of them is taken up when they are whole.

use tetrarch_log::{Failure, Mended};
use tetrarch_replica::{Input, MendOutcome};
use tetrarch_wire::{Batch, ChannelUid, Seq};

use super::{ChannelOpening, StoreAnswer, Worker};
use crate::{node::recovery, store::FlushOrder};

impl Worker {
    /// Part of each heartbeat.
    pub(super) fn mend_what_is_damaged(&mut self) {
        let reader = self.context.reads.reader();
        let damaged = reader.damaged();
        let telemetry = self.context.telemetry.store();
        telemetry.damaged(damaged.len());
        telemetry.damaged_forks(reader.damaged_forks().len());
        if damaged.is_empty() {
            return;
        }
        for (channel, segment) in self.turn(|shard, turn| shard.mend(damaged, turn)) {
            if let Some((_, actor)) = self.shard.get(channel) {
                let channel = &actor.handle.name;
                tracing::warn!(%channel, %segment, "a segment is damaged and is being mended");
            }
        }
    }

    /// A replica wants a segment mended.
    pub(super) fn mend(&mut self, channel: ChannelUid, segment: Seq, batches: Vec<Batch>) {
        let answers = self.answers.clone();
        let done = move |result| {
            let answer = StoreAnswer::Mended {
                channel,
                segment,
                result,
            };
            if answers.send(answer).is_err() {
                tracing::debug!("the worker stopped before a segment was mended");
            }
        };
        let order = FlushOrder::Mend {
            channel,
            segment,
            batches,
            done: Box::new(done),
        };
        if !self.context.flush.order(order) {
            let outcome = MendOutcome::Failed;
            self.step(channel, Input::Mended { segment, outcome });
        }
    }

    /// The flusher has tried.
    pub(super) fn on_mended(
        &mut self,
        channel: ChannelUid,
        segment: Seq,
        result: Result<Mended, Failure>,
    ) {
        let outcome = match result {
            Ok(Mended::Whole) => {
                self.context.telemetry.store().mended();
                tracing::info!(%channel, %segment, "a damaged segment is whole again");
                MendOutcome::Done
            }
            Ok(Mended::Gone) => MendOutcome::Done,
            Ok(Mended::Lacks { after, upto }) => MendOutcome::Lacks {
                after: after.seq,
                upto,
            },
            Ok(Mended::Contradicted) => {
                tracing::warn!(%channel, %segment, "another voter holds another history there");
                MendOutcome::Contradicted
            }
            // The flusher has said why.
            Err(_) => MendOutcome::Failed,
        };
        self.step(channel, Input::Mended { segment, outcome });
        if outcome == MendOutcome::Done && self.shard.waits_for_mending(channel) {
            self.read_again(channel);
        }
    }

    /// Reads the channel as a start does.
    fn read_again(&self, channel: ChannelUid) {
        let reader = self.context.reads.reader().clone();
        let telemetry = self.context.telemetry.clone();
        let answers = self.answers.clone();
        tokio::task::spawn_blocking(move || {
            let found = match reader.recovered(channel) {
                Ok(Some(found)) => found,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%channel, %error, "the channel cannot be read again");
                    return;
                }
            };
            match recovery::opening(found, &reader, &telemetry) {
                Ok(opening) => {
                    if answers
                        .send(StoreAnswer::Opened(Box::new(opening)))
                        .is_err()
                    {
                        tracing::debug!("the worker stopped before a channel was read again");
                    }
                }
                Err(error) => tracing::error!(%channel, %error, "the channel cannot be read again"),
            }
        });
    }

    /// The channel was read again. If more of it is damaged, that is mended first.
    pub(super) fn reopen(&mut self, opening: ChannelOpening) {
        let channel = opening.handle.uid;
        if opening.recovered.damaged || !self.shard.waits_for_mending(channel) {
            return;
        }
        let last = self
            .shard
            .get(channel)
            .map(|(replica, _)| replica.last_read());
        self.close(channel, Input::Close);
        self.open(opening);
        if let Some(last) = last {
            self.shard.number_reads_after(channel, last);
        }
    }
}
