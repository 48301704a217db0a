//! What is held back until a persist completes, and how it comes out.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    Epoch, ReplicaRole, Seq, VoterId,
    frame::{ChannelMessage, FrameType, ProduceOutcome, VoteKind},
};

use crate::{Context, Effect, Lane, PersistToken, Replica, Ticket};

/// The role and epoch under which something was decided. If either has changed when it could come
/// out, a message is dropped and a client's reply becomes `Indeterminate` (protocol §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) role: ReplicaRole,
    pub(super) epoch: Epoch,
}

/// Something that tells somebody something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// A message to another voter.
    Message {
        to: VoterId,
        epoch: Epoch,
        message: ChannelMessage,
    },
    /// The answer to a client.
    Reply {
        ticket: Ticket,
        outcome: ProduceOutcome,
    },
}

/// A promise and the persist that it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) after: PersistToken,
    pub(super) stamp: Stamp,
    pub(super) promise: Promise,
}

impl Replica {
    fn stamp(&self) -> Stamp {
        Stamp {
            role: self.role.get(),
            epoch: self.hard_state.epoch_seen,
        }
    }

    /// Says something, as soon as the epoch in which it is said is durable.
    fn promise(&mut self, promise: Promise, ctx: &mut Context<'_>) {
        match self.durability.hard_state() {
            None => ctx.effects.push(promise.into_effect()),
            Some(_) if planted(Mutant::SpeakBeforePromise) => {
                ctx.effects.push(promise.into_effect());
            }
            Some(after) => {
                let stamp = self.stamp();
                self.durability.hold(Held {
                    after,
                    stamp,
                    promise,
                });
            }
        }
    }

    /// Sends a message in the epoch `epoch`.
    pub(crate) fn send(
        &mut self,
        to: VoterId,
        epoch: Epoch,
        message: ChannelMessage,
        ctx: &mut Context<'_>,
    ) {
        let message = Promise::Message { to, epoch, message };
        self.promise(message, ctx);
    }

    /// Answers a client.
    pub(crate) fn reply(&mut self, ticket: Ticket, outcome: ProduceOutcome, ctx: &mut Context<'_>) {
        self.promise(Promise::Reply { ticket, outcome }, ctx);
    }

    /// Lets out what was held, unless it was said under another role or epoch.
    pub(super) fn release(&self, held: Held, ctx: &mut Context<'_>) {
        if held.stamp == self.stamp() {
            ctx.effects.push(held.promise.into_effect());
            return;
        }
        match held.promise {
            Promise::Message { .. } => {}
            Promise::Reply { ticket, outcome } => ctx.effects.push(Effect::Reply {
                ticket,
                outcome: outcome_after_a_change(outcome),
            }),
        }
    }
}

/// A refusal stays what it was: it promised nothing.
fn outcome_after_a_change(outcome: ProduceOutcome) -> ProduceOutcome {
    match outcome {
        ProduceOutcome::Appended { .. } => ProduceOutcome::Indeterminate,
        ProduceOutcome::Retry { .. }
        | ProduceOutcome::Indeterminate
        | ProduceOutcome::StorageFull
        | ProduceOutcome::OutOfOrder { .. }
        | ProduceOutcome::Fenced { .. }
        | ProduceOutcome::TooLarge { .. }
        | ProduceOutcome::Denied
        | ProduceOutcome::UnknownChannel => outcome,
    }
}

impl Promise {
    /// Whether nobody misses `earlier` when this is said. Every reply to a client is missed.
    pub(super) fn replaces(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (
                Self::Message { to, message, .. },
                Self::Message {
                    to: other,
                    message: before,
                    ..
                },
            ) => to == other && kind_of(message) == kind_of(before),
            (Self::Message { .. } | Self::Reply { .. }, _) => false,
        }
    }

    /// Whether it says that more of the log is durable than up to `point`.
    pub(super) fn acknowledges_beyond(&self, point: Seq) -> bool {
        if let Self::Message {
            message: ChannelMessage::AppendAck(ack),
            ..
        } = self
        {
            ack.durable > point
        } else {
            false
        }
    }

    fn into_effect(self) -> Effect {
        match self {
            Self::Message { to, epoch, message } => Effect::Send {
                to,
                epoch,
                lane: lane_of(&message),
                message,
            },
            Self::Reply { ticket, outcome } => Effect::Reply { ticket, outcome },
        }
    }
}

/// What a message is about. Requests for votes of different kinds, and the answers to them, are not
/// about the same.
fn kind_of(message: &ChannelMessage) -> (FrameType, Option<VoteKind>) {
    let vote = if let ChannelMessage::VoteRequest(request) = message {
        Some(request.kind)
    } else if let ChannelMessage::VoteResponse(response) = message {
        Some(response.kind)
    } else {
        None
    };
    (message.frame_type(), vote)
}

/// Which way a message takes.
fn lane_of(message: &ChannelMessage) -> Lane {
    match message {
        ChannelMessage::VoteRequest(_)
        | ChannelMessage::VoteResponse(_)
        | ChannelMessage::TransferPrepare(_)
        | ChannelMessage::TransferNow(_)
        | ChannelMessage::Placed(_) => Lane::Control,
        ChannelMessage::Append(_)
        | ChannelMessage::AppendAck(_)
        | ChannelMessage::AppendNack(_)
        | ChannelMessage::FindPoint(_)
        | ChannelMessage::PointResponse(_) => Lane::Data,
        ChannelMessage::SyncRequest(_)
        | ChannelMessage::SyncChunk(_)
        | ChannelMessage::SyncNack(_)
        | ChannelMessage::RepairRequest(_)
        | ChannelMessage::RepairResponse(_)
        | ChannelMessage::SegOffer(_)
        | ChannelMessage::SegRequest(_)
        | ChannelMessage::SegData(_)
        | ChannelMessage::SnapshotRequest(_)
        | ChannelMessage::SnapshotChunk(_)
        | ChannelMessage::ForkReport(_)
        | ChannelMessage::ForkPull(_)
        | ChannelMessage::ForkChunk(_) => Lane::Bulk,
    }
}
