//! One round of an election: who answered what, and how it ends (protocol §7).

use std::collections::BTreeSet;

use tetrarch_fsm::TransitionSignal;
use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    Epoch, ReplicaRole, VoterId,
    frame::{RefusalReason, VoteKind, VoteResponse},
};

use crate::{Context, Moment, PersistToken, Replica, replication::chance_below};

/// So many election timeouts a candidate waits at most until its vote for itself is durable.
const WAIT_FOR_DISK: u32 = 10;

const ELECTED: &str = "a majority of the voters voted for it";

/// A candidate's round.
#[derive(Clone, Debug)]
pub(crate) struct Candidacy {
    pub(crate) kind: VoteKind,
    /// The number of the epoch that it stands for.
    pub(super) n: u64,
    pub(super) begun: Moment,
    /// When it is over without a result, once the own vote is durable.
    pub(super) deadline: Moment,
    pub(super) asked_at: Moment,
    pub(crate) granted: BTreeSet<VoterId>,
    pub(crate) refused: BTreeSet<VoterId>,
    /// The write of its vote for itself, which counts only once that is durable.
    pub(super) own_vote: Option<PersistToken>,
}

impl Candidacy {
    /// An election is under way, and not only the question whether there should be one.
    pub(super) const fn is_election(&self) -> bool {
        match self.kind {
            VoteKind::Pre => false,
            VoteKind::Vote | VoteKind::Transfer => true,
        }
    }

    /// Nobody has been asked yet: questions wait for the own vote to be durable.
    const fn waits_for_disk(&self) -> bool {
        self.is_election() && self.own_vote.is_some()
    }

    pub(crate) fn has_answered(&self, voter: VoterId) -> bool {
        self.granted.contains(&voter) || self.refused.contains(&voter)
    }
}

/// How a round is lost, which decides how soon the next may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// Nothing was persisted: again after a slot.
    PreVote,
    /// An election was held: not before an election timeout.
    Election,
}

impl Replica {
    /// When the round wants attention next.
    pub(crate) fn round_deadline(&self) -> Option<Moment> {
        let candidacy = self.candidacy.as_ref()?;
        let over = self.round_ends(candidacy);
        if candidacy.waits_for_disk() {
            return Some(over);
        }
        let again = candidacy.asked_at.plus(self.settings.heartbeat);
        Some(over.min(again))
    }

    /// When the round is over without a result. Its time begins when its own vote is durable: a disk
    /// that takes longer to sync than a round lasts must not mean that nobody is ever elected.
    pub(crate) fn round_ends(&self, candidacy: &Candidacy) -> Moment {
        if candidacy.waits_for_disk() {
            candidacy
                .begun
                .plus(self.settings.election_timeout * WAIT_FOR_DISK)
        } else if self.is_available() && !candidacy.is_election() {
            candidacy.begun.plus(self.settings.heartbeat)
        } else {
            candidacy.deadline
        }
    }

    /// Ends a round without a result when its time is over.
    pub(crate) fn check_round(&mut self, ctx: &mut Context<'_>) {
        if self.is_available() {
            self.judge_round(ctx);
        }
        let over = |candidacy: &Candidacy| self.round_ends(candidacy) <= ctx.now.mono;
        if self.candidacy.as_ref().is_some_and(over) {
            self.lose_round("the round timed out without a result", ctx);
        }
    }

    /// Asks those again that have not answered for an interval.
    pub(crate) fn ask_again(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let due =
            |c: &Candidacy| !c.waits_for_disk() && now.since(c.asked_at) >= self.settings.heartbeat;
        if self.candidacy.as_ref().is_some_and(due) {
            self.request_votes(ctx);
        }
    }

    /// The own promise is durable. If it is the vote of a round under way, it counts now; if it is a
    /// vote for another, that one hears of it only now.
    pub(crate) fn on_promise_durable(&mut self, ctx: &mut Context<'_>) {
        if self.durability.hard_state().is_some() {
            return;
        }
        let (me, now) = (self.me, ctx.now.mono);
        match &mut self.candidacy {
            Some(candidacy) if candidacy.own_vote.is_some() => {
                candidacy.own_vote = None;
                candidacy.granted.insert(me);
                // The other voters' disks may take as long, and were not asked before.
                candidacy.asked_at = now;
                candidacy.deadline = candidacy.deadline.plus(now.since(candidacy.begun) * 2);
                self.count_votes(ctx);
            }
            Some(_) => {}
            None => {
                let voted = self.hard_state.voted_for;
                if self.role.get() == ReplicaRole::Replica && voted.is_some_and(|to| to != me) {
                    self.silence.restart(now);
                }
            }
        }
    }

    /// The write of the own vote is tried again under another token.
    pub(crate) fn candidacy_waits_for(&mut self, old: PersistToken, new: PersistToken) {
        if let Some(candidacy) = &mut self.candidacy
            && candidacy.own_vote == Some(old)
        {
            candidacy.own_vote = Some(new);
        }
    }

    /// A voter answered. Only an answer to this very round counts.
    pub(crate) fn on_vote_response(
        &mut self,
        epoch: Epoch,
        response: VoteResponse,
        ctx: &mut Context<'_>,
    ) {
        self.thrash.heard_tail(response.voter, &response.last);
        let is_available = self.is_available();
        let Some(candidacy) = &mut self.candidacy else {
            return;
        };
        let round = (candidacy.kind, Epoch::new(candidacy.n, self.me));
        if (response.kind, epoch) != round && !planted(Mutant::StaleVoteCounts) {
            return;
        }
        if is_available {
            self.take_answer(&response);
            self.judge_round(ctx);
            return;
        }
        match response.refusal {
            None => {
                candidacy.refused.remove(&response.voter);
                candidacy.granted.insert(response.voter);
            }
            Some(reason) => {
                candidacy.refused.insert(response.voter);
                if reason == RefusalReason::Stale {
                    let seen = self.thrash.highest_n.max(response.epoch_seen.n);
                    self.thrash.highest_n = seen;
                }
            }
        }
        self.count_votes(ctx);
    }

    /// Wins, loses or goes on.
    pub(super) fn count_votes(&mut self, ctx: &mut Context<'_>) {
        if self.is_available() {
            self.judge_round(ctx);
            return;
        }
        let Some(candidacy) = &self.candidacy else {
            return;
        };
        let config = self.controls.config();
        let votes = |set: &BTreeSet<VoterId>| set.iter().filter(|id| config.contains(**id)).count();
        let (mut majority, n, kind) = (config.majority(), candidacy.n, candidacy.kind);
        if planted(Mutant::WinWithoutMajority) {
            majority -= 1;
        }
        if votes(&candidacy.granted) >= majority {
            match kind {
                VoteKind::Pre if planted(Mutant::PreVoteIsEnough) => self.win(ELECTED, ctx),
                VoteKind::Pre => self.ask_for_votes(VoteKind::Vote, n, ctx),
                VoteKind::Vote | VoteKind::Transfer => self.win(ELECTED, ctx),
            }
        } else if votes(&candidacy.refused) > config.voters().len() - majority {
            self.lose_round("a majority refused", ctx);
        }
    }

    /// A majority voted for this epoch, this replica's own durable vote among it or not needed.
    pub(crate) fn win(&mut self, reason: &'static str, ctx: &mut Context<'_>) {
        if !self.log.is_all_durable() || self.durability.hard_state().is_some() {
            return; // Counted again when the write completes.
        }
        let signal = TransitionSignal::ElectionWon;
        if self.change_role(ReplicaRole::Leader, signal, reason, ctx) {
            self.candidacy = None;
            self.thrash.settled();
            self.begin_leadership(ctx);
        }
    }

    pub(crate) fn lose_round(&mut self, reason: &'static str, ctx: &mut Context<'_>) {
        let Some(candidacy) = self.candidacy.take() else {
            return;
        };
        let loss = match candidacy.kind {
            VoteKind::Pre => Loss::PreVote,
            VoteKind::Vote | VoteKind::Transfer => Loss::Election,
        };
        let signal = TransitionSignal::ElectionLost;
        if self.change_role(ReplicaRole::Replica, signal, reason, ctx) {
            self.back_off(loss, ctx);
        }
    }

    fn back_off(&mut self, loss: Loss, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let slot = self.thrash.slot(now, &self.settings);
        let wait = match loss {
            Loss::PreVote => {
                let doublings = self.thrash.failed_rounds.min(4);
                let wait = slot * (1 << doublings);
                wait.min(self.settings.election_timeout) + chance_below(slot, ctx)
            }
            Loss::Election => self.with_jitter(self.settings.election_timeout, ctx),
        };
        self.thrash.failed_rounds = self.thrash.failed_rounds.saturating_add(1);
        self.silence.hold_off(now.plus(wait));
    }
}
