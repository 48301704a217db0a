//! A replica stands for election (protocol §7): first "would you?", with nothing persisted, then,
//! with a majority for it, the vote. In a handover that the leader ordered, the vote at once.

use std::collections::BTreeSet;

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{
    ChannelClass, Epoch, HardState, ReplicaRole, VoterId,
    frame::{ChannelMessage, VoteKind, VoteRequest},
};

use super::Candidacy;
use crate::{Context, Replica, replication::chance_below};

impl Replica {
    /// Stands if the leader has been silent for long enough and this replica's slot has come.
    pub(crate) fn stand_if_due(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        if !self.may_stand() || now < self.silence_deadline() {
            return;
        }
        if self.silence.standing_at().is_none() {
            let delay = self.slot_delay(ctx);
            let base = self.silence_deadline();
            self.silence.stand_at(base.plus(delay));
        }
        if self.silence.standing_at().is_some_and(|at| at <= now) {
            self.stand(VoteKind::Pre, "the leader is silent", ctx);
        }
    }

    /// Whether this replica may stand at all: a voter that has forgotten nothing, whose log is durable to its
    /// end and goes as far as it ever did, and whose promise is durable, too. A vote for another that is not
    /// durable yet is one that the other cannot have counted.
    pub(crate) fn may_stand(&self) -> bool {
        self.role.get() == ReplicaRole::Replica
            && self.limbo().is_none()
            && (self.is_voter() || self.is_perhaps_needed())
            && self.log.is_all_durable()
            && self.has_its_log_back()
            && self.durability.hard_state().is_none()
            && !self.durability.is_full()
            && !self.is_recollecting()
    }

    /// Whether it could take over in this very moment, or is about to: then it need not yield to others.
    pub(crate) fn could_lead(&self) -> bool {
        self.role.get() == ReplicaRole::Candidate || self.may_stand()
    }

    /// Whether the durable log goes as far, by rank, as it did before this node let go of the channel.
    pub(crate) fn has_its_log_back(&self) -> bool {
        self.log.durable().rank() >= self.reached.rank()
    }

    /// This rank's slot, with a chance of half a slot. Each failed round lets one more rank stand.
    fn slot_delay(&mut self, ctx: &mut Context<'_>) -> std::time::Duration {
        let slot = self.thrash.slot(ctx.now.mono, &self.settings);
        let position = self.rank_position();
        let position = position.saturating_sub(self.thrash.failed_rounds);
        slot * position + chance_below(slot / 2, ctx)
    }

    /// Becomes a candidate.
    pub(crate) fn stand(&mut self, kind: VoteKind, reason: &'static str, ctx: &mut Context<'_>) {
        let signal = TransitionSignal::MissedHeartbeats;
        if !self.change_role(ReplicaRole::Candidate, signal, reason, ctx) {
            return;
        }
        self.forget_catch_up();
        match kind {
            VoteKind::Pre => {
                let seen = self.hard_state.epoch_seen.n.max(self.thrash.highest_n);
                self.begin_round(VoteKind::Pre, seen + 1, ctx);
                self.count_votes(ctx);
            }
            VoteKind::Vote | VoteKind::Transfer => {
                let n = self.hard_state.epoch_seen.n + 1;
                self.ask_for_votes(kind, n, ctx);
            }
        }
    }

    /// Votes for itself, durably, and asks the others once that is so.
    pub(crate) fn ask_for_votes(&mut self, kind: VoteKind, n: u64, ctx: &mut Context<'_>) {
        self.thrash.election(ctx.now.mono);
        self.following.forget();
        let promise = if self.is_available() {
            self.promise_to_lead(n)
        } else {
            HardState {
                epoch_seen: Epoch::new(n, VoterId::NONE),
                voted_for: Some(self.me),
                limbo: self.hard_state.limbo,
            }
        };
        self.persist_hard_state(promise, ctx);
        self.begin_round(kind, n, ctx);
    }

    fn begin_round(&mut self, kind: VoteKind, n: u64, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let timeout = self.with_jitter(self.settings.election_timeout, ctx);
        let mut granted = BTreeSet::new();
        if kind == VoteKind::Pre {
            granted.insert(self.me);
        }
        self.candidacy = Some(Candidacy {
            kind,
            n,
            begun: now,
            deadline: now.plus(timeout),
            asked_at: now,
            granted,
            refused: BTreeSet::new(),
            own_vote: self.durability.hard_state(),
        });
        self.request_votes(ctx);
    }

    /// Asks every voter that has not answered.
    pub(super) fn request_votes(&mut self, ctx: &mut Context<'_>) {
        let Some(candidacy) = &mut self.candidacy else {
            return;
        };
        candidacy.asked_at = ctx.now.mono;
        if candidacy.kind != VoteKind::Pre && self.controls.config().class != ChannelClass::Quorum {
            return; // Nobody's vote is needed.
        }
        let request = VoteRequest {
            kind: candidacy.kind,
            candidate: self.me,
            last: self.log.durable(),
            config_seq: self.controls.config().seq,
        };
        let epoch = Epoch::new(candidacy.n, self.me);
        let voters = self.controls.config().voter_ids().iter();
        let silent: Vec<VoterId> = voters
            .copied()
            .filter(|voter| *voter != self.me && !candidacy.has_answered(*voter))
            .collect();
        for voter in silent {
            self.send(voter, epoch, ChannelMessage::VoteRequest(request), ctx);
        }
    }
}
