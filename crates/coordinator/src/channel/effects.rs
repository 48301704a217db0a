//! Carrying out what the protocol core wants done, in order. Nothing is decided here.

use tetrarch_log::{Issuer, WriteOp};
use tetrarch_replica::{
    AdminOutcome, Effect, HaltReason, Lane, LogReadFailure, LogWrite, PersistToken, ReadTicket,
    RoleChange, Ticket, shard::ShardEffect,
};
use tetrarch_wire::{
    ChannelUid, Epoch, Seq, VoterId,
    frame::{ChannelFrame, ChannelMessage, PlacementReport, ProduceOutcome},
};

use super::{StoreAnswer, Worker, tickets::Waiting};
use crate::{
    clock,
    node::TransitionEvent,
    store::{Opening, Origin, ReadOutcome, Source},
};

impl Worker {
    pub(super) fn carry_out(&mut self, effect: ShardEffect) {
        match effect {
            ShardEffect::Stamp(local) => self.context.beats.stamp(&local, clock::moment()),
            ShardEffect::Replica(channel, effect) => self.carry_out_of(channel, effect),
        }
    }

    fn carry_out_of(&mut self, channel: ChannelUid, effect: Effect) {
        match effect {
            Effect::Persist {
                token,
                failures,
                writes,
            } => self.persist(channel, token, failures, writes),
            Effect::Send {
                to,
                epoch,
                message,
                lane,
            } => {
                self.send(channel, to, epoch, message, lane);
            }
            Effect::Reply { ticket, outcome } => self.reply(ticket, outcome),
            Effect::ReadIndexReady { ticket, result } => {
                self.publish(channel);
                self.answer_read_index(ticket, result);
            }
            Effect::AdminDone { ticket, outcome } => self.answer_admin(ticket, outcome),
            Effect::ReadLog {
                ticket,
                from,
                max_bytes,
            } => self.read_log(channel, Source::Log, (ticket, from, max_bytes)),
            Effect::SaveSnapshot { save, seq, bytes } => {
                self.keep_snapshot(channel, save, seq, bytes);
            }
            Effect::Mend { segment, batches } => self.mend(channel, segment, batches),
            Effect::Seal { after } => self.seal(channel, after),
            Effect::ReadFork {
                ticket,
                fork,
                from,
                max_bytes,
            } => self.read_log(channel, Source::Fork(fork), (ticket, from, max_bytes)),
            Effect::DropFork { fork } => self.drop_fork(channel, fork),
            Effect::ForkCollected {
                fork,
                republished,
                known,
            } => self.fork_collected(channel, fork, (republished, known)),
            Effect::Diverged { point } => self.diverged(channel, point),
            Effect::RoleChanged(change) => self.role_changed(channel, change),
            Effect::TransitionRejected(error) => {
                if let Some((_, actor)) = self.shard.get(channel) {
                    actor.handle.telemetry.transition_rejected(&error);
                }
            }
            // Readers and the handle are served once, when the turn is settled.
            Effect::Committed { .. } => {}
            Effect::Trim { upto } => self.trim(channel, upto),
            Effect::Placed { version } => self.report(PlacementReport { channel, version }),
            Effect::Deleted => self.context.writes.order(channel, WriteOp::Delete),
            Effect::BeatNow => self.context.beats.beat_now(channel),
            Effect::Halted(reason) => self.halted(channel, &reason),
        }
    }

    fn persist(
        &mut self,
        channel: ChannelUid,
        token: PersistToken,
        failures: u64,
        writes: Vec<LogWrite>,
    ) {
        if let Some((_, actor)) = self.shard.get(channel) {
            for write in &writes {
                if let LogWrite::Append(batches) = write {
                    let events = batches.iter().map(|b| u64::from(b.header().count)).sum();
                    let bytes = batches.iter().map(|b| b.size() as u64).sum();
                    actor.handle.telemetry.appended(events, bytes);
                }
            }
        }
        let origin = Origin::of_replica(self.index, channel, self.opening_of(channel), token);
        let issuer = Issuer::Replica { failures };
        self.context.writes.persist(origin, issuer, writes);
    }

    pub(super) fn opening_of(&self, channel: ChannelUid) -> Opening {
        let found = self.shard.get(channel);
        found.map_or_else(Opening::default, |(_, actor)| actor.opening)
    }

    fn send(
        &mut self,
        channel: ChannelUid,
        to: VoterId,
        epoch: Epoch,
        message: ChannelMessage,
        lane: Lane,
    ) {
        let known = self.shard.get(channel);
        if let Some(member) = known.and_then(|(replica, _)| replica.member(to)) {
            self.context.mesh.send(
                member.node,
                lane,
                ChannelFrame {
                    channel,
                    epoch,
                    message,
                },
            );
        }
    }

    /// Tells the catalog that a move is complete: whoever leads it writes it down.
    fn report(&self, report: PlacementReport) {
        self.context.reports.offer(self.context.me, report);
        for founder in self.context.facts.founders() {
            self.context.mesh.send(
                founder,
                Lane::Control,
                ChannelFrame {
                    channel: self.context.meta,
                    epoch: Epoch::NONE,
                    message: ChannelMessage::Placed(report),
                },
            );
        }
    }

    fn reply(&mut self, ticket: Ticket, outcome: ProduceOutcome) {
        let clients = self.context.telemetry.clients();
        clients.produced(&outcome);
        let committed = matches!(outcome, ProduceOutcome::Appended { .. });
        match self.tickets.take(ticket) {
            Some(Waiting::Produce(route)) => {
                let since = route.answer(outcome);
                if committed {
                    clients.committed(clock::moment().since(since));
                }
            }
            Some(Waiting::Propose(reply)) => {
                if reply.send(outcome).is_err() {
                    tracing::debug!("whoever proposed this does not wait any more");
                }
            }
            other => self.misplaced(ticket, other),
        }
    }

    /// Shows how the channel stands now, and not only at the end of the turn: whoever is told an index next
    /// must not find the channel behind it. A new leader learns in one step how far its log is committed.
    fn publish(&mut self, channel: ChannelUid) {
        if let Some((replica, actor)) = self.shard.get_mut(channel) {
            actor.publish(replica);
        }
    }

    fn answer_read_index(&mut self, ticket: Ticket, result: Result<(Epoch, Seq), Option<VoterId>>) {
        match self.tickets.take(ticket) {
            Some(Waiting::ReadIndex(reply)) => {
                if reply.send(result).is_err() {
                    tracing::trace!("a reader left before its index");
                }
            }
            other => self.misplaced(ticket, other),
        }
    }

    fn answer_admin(&mut self, ticket: Ticket, outcome: AdminOutcome) {
        match self.tickets.take(ticket) {
            Some(Waiting::Admin(reply)) => {
                if reply.send(outcome).is_err() {
                    tracing::debug!("whoever ordered this does not wait any more");
                }
            }
            other => self.misplaced(ticket, other),
        }
    }

    /// An answer for a request that is not there, or is another kind of request: a bug, and
    /// harmless, because the request's own sender is dropped and its receiver notices.
    fn misplaced(&self, ticket: Ticket, found: Option<Waiting>) {
        tracing::error!(
            ?ticket,
            found = found.is_some(),
            "an answer without its request"
        );
    }

    fn read_log(
        &mut self,
        channel: ChannelUid,
        source: Source,
        (ticket, from, max_bytes): (ReadTicket, Seq, u32),
    ) {
        let answers = self.answers.clone();
        let opening = self.opening_of(channel);
        self.context
            .reads
            .read(channel, source, from, max_bytes, move |outcome| {
                let result = match outcome {
                    ReadOutcome::Batches { batches, .. } => Ok(batches),
                    ReadOutcome::Trimmed { .. } => Err(LogReadFailure::Trimmed),
                    ReadOutcome::BeyondTail | ReadOutcome::UnknownChannel => {
                        Err(LogReadFailure::BeyondTail)
                    }
                    ReadOutcome::Corrupt => Err(LogReadFailure::Corrupt),
                    ReadOutcome::Damaged => Err(LogReadFailure::Damaged),
                    ReadOutcome::Transient => Err(LogReadFailure::Transient),
                };
                if answers
                    .send(StoreAnswer::Read {
                        channel,
                        opening,
                        ticket,
                        result,
                    })
                    .is_err()
                {
                    tracing::debug!("the worker stopped before its read was done");
                }
            });
    }

    fn role_changed(&mut self, channel: ChannelUid, change: RoleChange) {
        let Some((replica, actor)) = self.shard.get(channel) else {
            return;
        };
        actor.handle.publish(&replica.view());
        actor.handle.telemetry.transition(&change);
        let event = TransitionEvent {
            channel: actor.handle.name.clone(),
            change,
        };
        // Without a receiver nobody watches, which is no error.
        if self.context.transitions.send(event).is_err() {
            tracing::trace!("nobody watches transitions");
        }
        self.context.beats.beat_now(channel);
    }

    fn halted(&mut self, channel: ChannelUid, reason: &HaltReason) {
        if let Some((_, actor)) = self.shard.get(channel) {
            actor.handle.telemetry.halted(reason);
        }
    }
}
