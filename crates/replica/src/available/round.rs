//! An election without a majority (protocol §7.4): a candidate asks everybody whom it hears, and leads if
//! nobody hears a leader or ranks before it. Two that do not hear each other both lead.

use tetrarch_wire::{
    Epoch, HardState,
    frame::{RefusalReason, VoteKind, VoteRequest, VoteResponse},
};

use crate::{Context, Moment, Replica};

impl Replica {
    /// "Would you?" A leader that is heard anywhere is enough for a refusal, and the clients of the
    /// candidate are told of it.
    pub(crate) fn judge_standing(
        &self,
        request: &VoteRequest,
        now: Moment,
    ) -> Result<(), RefusalReason> {
        self.check_members(request)?;
        self.check_nobody_leads(now)?;
        self.check_no_election(request.candidate, now)?;
        self.check_rank(request)
    }

    /// Whoever could stand itself refuses those that come after it: by last epoch and length of the
    /// durable log, and then by node.
    fn check_rank(&self, request: &VoteRequest) -> Result<(), RefusalReason> {
        if !self.could_lead() {
            return Ok(());
        }
        let (mine, theirs) = (self.log.durable().rank(), request.last.rank());
        let comes_first = || self.node_of(self.me) < self.node_of(request.candidate);
        if theirs < mine {
            Err(RefusalReason::Log)
        } else if theirs == mine && comes_first() {
            Err(RefusalReason::Rank)
        } else {
            Ok(())
        }
    }

    /// An answer to the round under way: what it says of epochs counts whether it is a refusal or not.
    pub(crate) fn take_answer(&mut self, response: &VoteResponse) {
        let seen = self.thrash.highest_n.max(response.epoch_seen.n);
        self.thrash.highest_n = seen;
        let Some(candidacy) = &mut self.candidacy else {
            return;
        };
        match response.refusal {
            None | Some(RefusalReason::NotVoter) => {
                candidacy.granted.insert(response.voter);
            }
            Some(
                RefusalReason::Stale
                | RefusalReason::Voted
                | RefusalReason::Log
                | RefusalReason::LeaderAlive
                | RefusalReason::Limbo
                | RefusalReason::Rank,
            ) => {
                candidacy.refused.insert(response.voter);
            }
        }
    }

    /// Goes on with the round: it is lost with the first refusal, and won when everybody who is connected
    /// has answered, or has had an interval for it, and the own epoch is durable.
    pub(crate) fn judge_round(&mut self, ctx: &mut Context<'_>) {
        let Some(candidacy) = &self.candidacy else {
            return;
        };
        match candidacy.kind {
            VoteKind::Pre if !candidacy.refused.is_empty() => {
                self.lose_round("another node leads or ranks before it", ctx);
            }
            VoteKind::Pre => {
                let is_over = self.round_ends(candidacy) <= ctx.now.mono;
                if is_over || self.everybody_has_answered() {
                    let seen = self.hard_state.epoch_seen.n.max(self.thrash.highest_n);
                    self.ask_for_votes(VoteKind::Vote, seen + 1, ctx);
                }
            }
            VoteKind::Vote | VoteKind::Transfer if candidacy.granted.contains(&self.me) => {
                self.win("nobody that is heard leads or ranks before it", ctx);
            }
            VoteKind::Vote | VoteKind::Transfer => {}
        }
    }

    fn everybody_has_answered(&self) -> bool {
        let Some(candidacy) = &self.candidacy else {
            return false;
        };
        let mut others = self.config().voter_ids().iter();
        others.all(|voter| {
            *voter == self.me || self.silence.is_lost(*voter) || candidacy.has_answered(*voter)
        })
    }

    /// What a candidate makes durable before it leads epoch number `n`: in class `quorum` its vote for
    /// itself, in class `available` the epoch as a whole.
    pub(crate) fn promise_to_lead(&self, n: u64) -> HardState {
        let epoch_seen = Epoch::new(n, self.me);
        HardState {
            epoch_seen,
            voted_for: None,
            limbo: self.hard_state.limbo,
        }
    }
}
