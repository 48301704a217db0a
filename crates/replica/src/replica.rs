//! One channel's replica: its state, and the dispatch of what happens to it.
//!
//! Each kind of input is handled by the topic that it belongs to. Every step first looks at the
//! time, so that a leader that was suspended steps down before it acknowledges anything (I12).

use std::collections::BTreeMap;

use tetrarch_fsm::{Role, StateTransition, TransitionSignal};
use tetrarch_wire::{ChannelUid, Epoch, HardState, LogPosition, ReplicaRole, Seq, VoterId};

use crate::{
    AdminOutcome, Context, Effect, HaltReason, Input, PersistFailure, ReadTicket, RoleChange,
    Settings,
    available::{Kept, Recollection},
    catchup::{Beginning, CatchUp, ReadPurpose},
    durability::Durability,
    election::{Candidacy, Silence, Thrash},
    log_state::LogState,
    membership::Members,
    pressure::Pressure,
    producer::ProducerTable,
    repair::Repair,
    replication::{Controls, Following, Leadership, is_of_repair},
    transfer::Handover,
};

/// One channel on one node.
#[derive(Debug)]
pub struct Replica {
    pub(crate) me: VoterId,
    pub(crate) channel: ChannelUid,
    pub(crate) settings: Settings,
    pub(crate) role: Role,
    /// The election promise; while `durability.hard_state` is set, not durable yet.
    pub(crate) hard_state: HardState,
    pub(crate) durability: Durability,
    pub(crate) log: LogState,
    /// How far the log went, by rank, before this node let go of the channel.
    pub(crate) reached: LogPosition,
    /// How often it has.
    pub(crate) releases: u64,
    pub(crate) commit: Seq,
    /// What was known to be committed before the start: a bound for truncation, nothing else.
    pub(crate) commit_hint: Seq,
    /// The last commit position that was written as a hint.
    pub(crate) hinted: Seq,
    /// Up to where the snapshot stood that the producers and the configuration were taken from.
    pub(crate) covered: Seq,
    pub(crate) producers: ProducerTable,
    pub(crate) controls: Controls,
    pub(crate) members: Members,
    pub(crate) following: Following,
    pub(crate) silence: Silence,
    pub(crate) thrash: Thrash,
    pub(crate) catch_up: CatchUp,
    pub(crate) beginning: Option<Beginning>,
    pub(crate) candidacy: Option<Candidacy>,
    pub(crate) leadership: Option<Box<Leadership>>,
    pub(crate) handover: Option<Handover>,
    pub(crate) pressure: Pressure,
    pub(crate) repair: Option<Repair>,
    pub(crate) recollection: Option<Recollection>,
    pub(crate) kept: Kept,
    pub(crate) reads: BTreeMap<ReadTicket, ReadPurpose>,
    pub(crate) last_read: u64,
    pub(crate) last_request: u64,
    pub(crate) last_ts_ms: u64,
    pub(crate) halted: Option<HaltReason>,
    /// Messages that were refused without any change of state.
    pub(crate) refused: u64,
}

impl Replica {
    /// Takes one thing in that happened, and puts what is to be done into the context.
    pub fn step(&mut self, input: Input, context: &mut Context<'_>) {
        if self.halted.is_some() {
            self.step_halted(input, context);
            return;
        }
        self.expire(context);
        match input {
            Input::Select => self.on_select(context),
            Input::Placed(set) => self.on_placed(set, context),
            Input::Deselect => self.leave(TransitionSignal::PlacementDeselected, context),
            Input::Close => self.leave(TransitionSignal::ChannelClose, context),
            Input::Message {
                from,
                epoch,
                message,
            } => self.on_message(from, epoch, message, context),
            Input::LeaderHeard { epoch, commit, at } => {
                self.on_leader_heard(epoch, commit, at, context);
            }
            Input::LeaderWithdrew { epoch } => self.on_leader_withdrew(epoch),
            Input::PeerLost { peer } => self.on_peer_lost(peer),
            Input::PeerFound { peer } => self.on_peer_found(peer, context),
            Input::BeatAcked {
                voter,
                epoch,
                sent_at,
            } => self.on_beat_acked(voter, epoch, sent_at, context),
            Input::Tick => self.on_tick(context),
            Input::Produce(request) => self.on_produce(request, context),
            Input::Propose(proposal) => self.on_propose(proposal),
            Input::ReadIndex { ticket } => self.on_read_index(ticket, context),
            Input::Transfer { ticket, to, forced } => {
                self.on_transfer(ticket, to, forced, context);
            }
            Input::Flush => self.form_batches(context),
            Input::Persisted { token } => self.on_persisted(token, context),
            Input::PersistFailed { token, failure } => {
                self.on_persist_failed(token, failure, context);
            }
            Input::LogRead { ticket, result } => self.on_log_read(ticket, result, context),
            Input::Trimmed { log_start } => self.log.trimmed(log_start),
            Input::SnapshotSaved { save, worked } => {
                self.on_snapshot_saved(save, worked, context);
            }
            Input::DiskLevel(level) => self.on_disk_level(level, context),
            Input::Corrupt => self.halt(HaltReason::Corrupt, context),
            Input::Damaged { segment } => self.on_damaged(segment, context),
            Input::Mended { segment, outcome } => self.on_mended(segment, outcome, context),
            Input::Sealed { after, result } => self.on_sealed(after, result, context),
        }
        self.withdraw_under_pressure(context);
        self.leave_limbo_if_due(context);
    }

    /// A halted replica says so and does nothing else, but that it mends what is damaged and helps
    /// others to do so.
    fn step_halted(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::DiskLevel(level) => self.note_disk_level(level),
            Input::Produce(request) => self.refuse_to_produce(request.ticket, ctx),
            Input::ReadIndex { ticket } => ctx.effects.push(Effect::ReadIndexReady {
                ticket,
                result: Err(None),
            }),
            Input::Transfer { ticket, .. } => ctx.effects.push(Effect::AdminDone {
                ticket,
                outcome: AdminOutcome::Failed("the channel is halted on this node"),
            }),
            Input::Damaged { segment } => self.on_damaged(segment, ctx),
            Input::Mended { segment, outcome } => self.on_mended(segment, outcome, ctx),
            Input::Message {
                from,
                epoch,
                message,
            } if is_of_repair(&message) => self.on_message(from, epoch, message, ctx),
            Input::LogRead { ticket, result } => self.on_log_read_while_halted(ticket, result, ctx),
            Input::Tick => self.check_repair(ctx),
            Input::PersistFailed {
                failure:
                    PersistFailure::StorageFull
                    | PersistFailure::Corrupt
                    | PersistFailure::Refused
                    | PersistFailure::Fatal,
                ..
            }
            | Input::Select
            | Input::Deselect
            | Input::Placed(_)
            | Input::Close
            | Input::Message { .. }
            | Input::LeaderHeard { .. }
            | Input::LeaderWithdrew { .. }
            | Input::PeerLost { .. }
            | Input::PeerFound { .. }
            | Input::BeatAcked { .. }
            | Input::Propose(_)
            | Input::Flush
            | Input::Persisted { .. }
            | Input::Trimmed { .. }
            | Input::SnapshotSaved { .. }
            | Input::Sealed { .. }
            | Input::Corrupt => {}
        }
    }

    /// What the passing of time alone has decided, before anything else is looked at.
    fn expire(&mut self, ctx: &mut Context<'_>) {
        match self.role.get() {
            ReplicaRole::Leader => self.check_quorum(ctx),
            ReplicaRole::Candidate => self.check_round(ctx),
            ReplicaRole::Replica | ReplicaRole::Idle => {}
        }
    }

    fn on_tick(&mut self, ctx: &mut Context<'_>) {
        self.retry_writes(ctx);
        self.check_repair(ctx);
        self.go_on_recollecting(ctx);
        match self.role.get() {
            ReplicaRole::Leader => {
                self.advance_commit_if_due(ctx);
                self.collect_forks(ctx);
                self.check_transfer(ctx);
                self.hand_over_if_due(ctx);
                self.give_up_if_stranded(ctx);
                self.give_up_if_unreadable(ctx);
                self.carry_out_placement(ctx);
                self.let_go_of_offer(ctx.now.mono);
                self.probe_silent_followers(ctx);
                self.form_batches(ctx);
            }
            ReplicaRole::Replica => {
                self.check_handover(ctx);
                self.check_catch_up(ctx);
                self.report_forks(ctx);
                self.stand_if_due(ctx);
            }
            ReplicaRole::Candidate => self.ask_again(ctx),
            ReplicaRole::Idle => self.check_handover(ctx),
        }
    }

    pub(crate) fn on_select(&mut self, ctx: &mut Context<'_>) {
        if self.role.get() != ReplicaRole::Idle || self.parks_instead() {
            return;
        }
        if !self.change_role(
            ReplicaRole::Replica,
            TransitionSignal::CapabilitySelected,
            "selected to hold the channel",
            ctx,
        ) {
            return;
        }
        self.silence.restart(ctx.now.mono);
        let newborn = self.log.tail().seq == Seq::ZERO && self.hard_state.epoch_seen.n == 0;
        if self.settings.stand_first && newborn {
            self.silence.stand_at(ctx.now.mono);
            self.stand_if_due(ctx);
        }
    }

    /// Leaves the channel: closed here, or taken out of the replica set.
    fn leave(&mut self, signal: TransitionSignal, ctx: &mut Context<'_>) {
        self.forget_parking();
        let role = self.role.get();
        if role == ReplicaRole::Idle {
            return; // Rule (c): no counter, no side effect.
        }
        if self.change_role(ReplicaRole::Idle, signal, "leaving the channel", ctx) {
            self.after_stepping_down(role, None, ctx);
        }
    }

    /// Takes no part any more until somebody looks at it.
    pub(crate) fn halt(&mut self, reason: HaltReason, ctx: &mut Context<'_>) {
        if self.halted.is_some() {
            return;
        }
        let role = self.role.get();
        let signal = match role {
            ReplicaRole::Leader => Some(TransitionSignal::GracefulRelinquish),
            ReplicaRole::Replica | ReplicaRole::Candidate => Some(TransitionSignal::ChannelClose),
            ReplicaRole::Idle => None,
        };
        if let Some(signal) = signal
            && self.change_role(ReplicaRole::Idle, signal, "the channel is halted here", ctx)
        {
            self.after_stepping_down(role, None, ctx);
        }
        self.forget_parking();
        self.halted = Some(reason.clone());
        ctx.effects.push(Effect::Halted(reason));
    }

    /// The only place where a role changes.
    pub(crate) fn change_role(
        &mut self,
        to: ReplicaRole,
        signal: TransitionSignal,
        reason: &'static str,
        ctx: &mut Context<'_>,
    ) -> bool {
        let changed = StateTransition::apply(self.role.get(), to, signal)
            .and_then(|transition| self.role.change(transition).map(|()| transition));
        match changed {
            Ok(transition) => {
                ctx.effects.push(Effect::RoleChanged(RoleChange {
                    transition,
                    epoch: self.epoch_seen(),
                    reason,
                    tail: self.log.tail(),
                    durable: self.log.durable().seq,
                    commit: self.commit,
                }));
                true
            }
            Err(rejected) => {
                ctx.effects.push(Effect::TransitionRejected(rejected));
                false
            }
        }
    }

    /// Cleans up after a role that was left, whichever it was.
    pub(crate) fn after_stepping_down(
        &mut self,
        left: ReplicaRole,
        successor: Option<VoterId>,
        ctx: &mut Context<'_>,
    ) {
        match left {
            ReplicaRole::Leader => self.end_leadership(successor, ctx),
            ReplicaRole::Candidate => self.candidacy = None,
            ReplicaRole::Replica => self.forget_catch_up(),
            ReplicaRole::Idle => {}
        }
        self.evict_recent();
        self.silence.restart(ctx.now.mono);
    }

    /// The highest epoch seen, with its leader if that is known.
    pub(crate) fn epoch_seen(&self) -> Epoch {
        let led = self.leadership.as_ref().map(|leadership| leadership.epoch);
        let known = [led, self.following.leader].into_iter().flatten().max();
        known.map_or(self.hard_state.epoch_seen, |epoch| {
            epoch.max(self.hard_state.epoch_seen)
        })
    }

    /// The next number for a request that this replica makes.
    pub(crate) fn next_request(&mut self) -> u64 {
        self.last_request += 1;
        self.last_request
    }
}
