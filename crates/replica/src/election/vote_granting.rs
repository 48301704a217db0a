//! Where a vote is granted (protocol §7.2, §7.3). At most one for each epoch number, to a log that
//! is at least as good as the own one, not while a leader is heard, and never before the promise
//! is durable.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    Epoch, HardState, LogPosition, ReplicaRole, VoterId,
    frame::{ChannelMessage, RefusalReason, VoteKind, VoteRequest, VoteResponse},
};

use super::{
    Candidacy,
    ballot::{check_log, may_vote},
};
use crate::{Context, Moment, Replica};

impl Replica {
    /// A candidate asks.
    pub(crate) fn on_vote_request(
        &mut self,
        epoch: Epoch,
        request: VoteRequest,
        ctx: &mut Context<'_>,
    ) {
        self.thrash.heard_tail(request.candidate, &request.last);
        let now = ctx.now.mono;
        let refusal = match request.kind {
            VoteKind::Pre if self.is_available() => self.judge_standing(&request, now).err(),
            // Nobody is asked for more where no majority is needed.
            VoteKind::Vote | VoteKind::Transfer if self.is_available() => {
                self.refused += 1;
                return;
            }
            VoteKind::Pre => self.judge_pre_vote(epoch, &request, now).err(),
            VoteKind::Vote | VoteKind::Transfer => self.judge_vote(epoch, &request, ctx).err(),
        };
        self.answer(epoch, &request, refusal, now, ctx);
    }

    /// "Would you?": nothing changes, whatever the answer.
    fn judge_pre_vote(
        &self,
        epoch: Epoch,
        request: &VoteRequest,
        now: Moment,
    ) -> Result<(), RefusalReason> {
        self.check_members(request)?;
        if epoch.n <= self.hard_state.epoch_seen.n {
            return Err(RefusalReason::Stale);
        }
        self.check_memory()?;
        self.check_nobody_leads(now)?;
        self.check_no_election(request.candidate, now)?;
        check_log(request.last, self.promised_end())
    }

    /// Grants or refuses, and makes the promise. The refusal because a leader is alive leaves the
    /// own epoch alone: else a disturbed voter could depose a leader that everybody hears.
    fn judge_vote(
        &mut self,
        epoch: Epoch,
        request: &VoteRequest,
        ctx: &mut Context<'_>,
    ) -> Result<(), RefusalReason> {
        self.check_members(request)?;
        let judged = may_vote(&self.hard_state, self.promised_end(), epoch, request.last);
        if judged == Err(RefusalReason::Stale) {
            return judged;
        }
        self.check_memory()?;
        if !self.is_ordered_handover(epoch, request) {
            self.check_nobody_leads(ctx.now.mono)?;
        }
        if epoch.n > self.hard_state.epoch_seen.n {
            judged.inspect_err(|_| self.adopt(epoch.n, None, ctx))?;
            self.relinquish_to(request.candidate, ctx);
        } else {
            judged?;
        }
        self.step_aside(ctx);
        self.promise_vote(epoch.n, request.candidate, ctx);
        Ok(())
    }

    /// Both must vote here, or hold the channel as the catalog says: the configuration by which they vote
    /// may not have come here, and then it takes this vote to elect anybody (KIP-853). That a candidate
    /// claims to be of a newer configuration proves nothing.
    pub(crate) fn check_members(&self, request: &VoteRequest) -> Result<(), RefusalReason> {
        if self.is_member(request.candidate) && self.is_member(self.me) {
            Ok(())
        } else {
            Err(RefusalReason::NotVoter)
        }
    }

    /// Who may have forgotten a vote gives none, and who may have forgotten what it acknowledged cannot
    /// judge a log.
    fn check_memory(&self) -> Result<(), RefusalReason> {
        match self.limbo() {
            Some(_) => Err(RefusalReason::Limbo),
            None => Ok(()),
        }
    }

    /// What no candidate may lack that is to have this vote: what is durable here, and what was before this
    /// node let go of the channel and came back. It was acknowledged, and may have been committed by that.
    fn promised_end(&self) -> LogPosition {
        let durable = self.log.durable();
        if self.has_its_log_back() {
            durable
        } else {
            self.reached
        }
    }

    /// Leader stickiness, by the own silence predicate and no longer one. A leader hears itself:
    /// if it had lost its majority, it would have stepped down before this.
    pub(crate) fn check_nobody_leads(&self, now: Moment) -> Result<(), RefusalReason> {
        let leads = self.role.get() == ReplicaRole::Leader;
        if leads || self.hears_a_leader(now) {
            Err(RefusalReason::LeaderAlive)
        } else {
            Ok(())
        }
    }

    /// Another election would end the one under way, in which this replica stands or has voted, before
    /// that has had its time. On slow disks none would ever end in another way.
    pub(crate) fn check_no_election(
        &self,
        candidate: VoterId,
        now: Moment,
    ) -> Result<(), RefusalReason> {
        let stands = self.candidacy.as_ref().is_some_and(Candidacy::is_election);
        let voted = self.hard_state.voted_for;
        let for_another = voted.is_some_and(|voter| voter != self.me && voter != candidate);
        let is_recent = self.durability.hard_state().is_some()
            || now < self.silence.begins_at(None, &self.settings);
        let has_voted = self.following.leader.is_none() && for_another && is_recent;
        if stands || has_voted {
            Err(RefusalReason::Voted)
        } else {
            Ok(())
        }
    }

    /// Stickiness is waived in a handover: at the leader for the voter and epoch that it ordered,
    /// elsewhere for the epoch directly after the one that is led (protocol §13).
    fn is_ordered_handover(&self, epoch: Epoch, request: &VoteRequest) -> bool {
        let next = self.hard_state.epoch_seen.n + 1;
        match (request.kind, &self.leadership) {
            (VoteKind::Pre | VoteKind::Vote, _) => false,
            (VoteKind::Transfer, Some(leadership)) => {
                let target = leadership.transfer.as_ref().and_then(|t| t.ordered_to());
                epoch.n == next && target == Some(request.candidate)
            }
            (VoteKind::Transfer, None) => epoch.n == next,
        }
    }

    /// Makes the promise, which the answer then waits for.
    fn promise_vote(&mut self, n: u64, candidate: VoterId, ctx: &mut Context<'_>) {
        let given = Some(candidate);
        let same_n = self.hard_state.epoch_seen.n == n || planted(Mutant::SameCandidateShortcut);
        if same_n && self.hard_state.voted_for == given {
            return; // Asked again: the same promise.
        }
        let seen = Epoch::new(n, VoterId::NONE).max(self.hard_state.epoch_seen);
        self.following.forget();
        self.forget_catch_up();
        let promise = HardState {
            epoch_seen: seen,
            voted_for: given,
            limbo: self.hard_state.limbo,
        };
        self.persist_hard_state(promise, ctx);
        // The candidate gets the time of an election before this voter stands itself.
        self.silence.restart(ctx.now.mono);
    }

    fn answer(
        &mut self,
        epoch: Epoch,
        request: &VoteRequest,
        refusal: Option<RefusalReason>,
        now: Moment,
        ctx: &mut Context<'_>,
    ) {
        let leader = if self.hears_a_leader(now) {
            self.known_leader()
        } else {
            None
        };
        let response = VoteResponse {
            kind: request.kind,
            voter: self.me,
            refusal,
            epoch_seen: self.epoch_seen(),
            last: self.log.durable(),
            leader,
            heard: self.connected_voters(),
        };
        let message = ChannelMessage::VoteResponse(response);
        self.send(request.candidate, epoch, message, ctx);
    }

    /// The voters to which there is a connection, by their place in the configuration.
    fn connected_voters(&self) -> u16 {
        let voters = self.config().voter_ids().iter().enumerate();
        voters
            .filter(|(_, voter)| !self.silence.is_lost(**voter))
            .fold(0, |set, (place, _)| set | (1 << place))
    }
}
