//! What is cut off the log of an `available` channel is kept as a fork, read by whoever takes it into the
//! main log, and removed when all of it is there.

use tetrarch_log::{Failure, ForkSummary, SealError};
use tetrarch_replica::{Input, SealFailure};
use tetrarch_wire::{ChannelUid, ForkId, LogPosition, frame::ForkReport};

use super::{StoreAnswer, Worker};
use crate::store::{FlushOrder, Opening, Seal};

impl Worker {
    /// A replica wants the end of its log kept.
    pub(super) fn seal(&mut self, channel: ChannelUid, after: LogPosition) {
        let answers = self.answers.clone();
        let opening = self.opening_of(channel);
        let done = move |result: Result<(LogPosition, Option<ForkSummary>), SealError>| {
            let result = match result {
                Ok((end, fork)) => Ok((end, fork.as_ref().map(report_of))),
                Err(error) => Err(failure_of(&error)),
            };
            let answer = StoreAnswer::Sealed {
                channel,
                opening,
                after,
                result,
            };
            if answers.send(answer).is_err() {
                tracing::debug!("the worker stopped before the end of a log was sealed");
            }
        };
        let order = FlushOrder::Seal(Seal {
            channel,
            after,
            done: Box::new(done),
        });
        if !self.context.flush.order(order) {
            self.on_sealed(channel, opening, (after, Err(SealFailure::Transient)));
        }
    }

    /// The flusher has tried.
    pub(super) fn on_sealed(
        &mut self,
        channel: ChannelUid,
        opening: Opening,
        (after, result): (
            LogPosition,
            Result<(LogPosition, Option<ForkReport>), SealFailure>,
        ),
    ) {
        if let Ok((_, Some(fork))) = &result
            && fork.events > 0
        {
            let (id, events) = (fork.fork, fork.events);
            tracing::info!(%channel, fork = %id, after = %after.seq, events, "the end of a log is a fork now");
            if let Some((_, actor)) = self.shard.get(channel) {
                actor.handle.telemetry.sealed(events);
            }
        }
        if self.is_open(channel, opening) {
            self.step(channel, Input::Sealed { after, result });
        }
    }

    /// All of a fork is in the log.
    pub(super) fn drop_fork(&self, channel: ChannelUid, fork: ForkId) {
        if !self
            .context
            .flush
            .order(FlushOrder::DropFork { channel, fork })
        {
            tracing::debug!(%channel, %fork, "a fork is dropped after the next start");
        }
    }

    /// This node leads, and all of a fork is in its log.
    pub(super) fn fork_collected(
        &self,
        channel: ChannelUid,
        fork: ForkId,
        (republished, known): (u64, u64),
    ) {
        if let Some((_, actor)) = self.shard.get(channel) {
            actor.handle.telemetry.collected(republished, known);
            let channel = &actor.handle.name;
            tracing::info!(channel, %fork, republished, known, "a fork is in the log now");
        }
    }

    /// What was committed after this position is in a fork.
    pub(super) fn diverged(&mut self, channel: ChannelUid, point: LogPosition) {
        if let Some((_, actor)) = self.shard.get_mut(channel) {
            let name = &actor.handle.name;
            tracing::warn!(channel = name, after = %point.seq, "what was read after this is in a fork now");
            actor.tell_readers_beyond(point);
        }
    }
}

/// What the replica is told of a fork.
pub(crate) const fn report_of(fork: &ForkSummary) -> ForkReport {
    ForkReport {
        fork: fork.id,
        base: fork.base,
        end: fork.end,
        events: fork.events,
        bytes: fork.bytes,
    }
}

fn failure_of(error: &SealError) -> SealFailure {
    match error {
        SealError::Damaged(_) | SealError::Halted(_) => SealFailure::Damaged,
        SealError::TooManyForks { .. } => SealFailure::StorageFull,
        SealError::Store(error) if error.failure() == Failure::StorageFull => {
            SealFailure::StorageFull
        }
        SealError::UnknownChannel
        | SealError::UnknownPosition { .. }
        | SealError::Changed
        | SealError::Store(_) => SealFailure::Transient,
    }
}
