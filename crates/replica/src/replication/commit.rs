//! What is committed (protocol §8): durable on a majority of the voters, the leader's own copy
//! counting only after its own fsync, and only by number from the first batch of its own epoch on
//! (Raft §5.4.2).

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{MinCopies, ReplicaRole, Seq, frame::ProduceOutcome};

use super::controls::Decision;
use crate::{Context, Effect, Replica};

/// What is committed in a leader's log that its voters hold durably up to `durable`, each as far
/// as is known: what a majority holds, once that reaches `start`, where the leader's epoch begins.
/// Before, nothing is: a majority may hold a batch of an older epoch and still elect a leader that
/// lacks it.
#[must_use]
pub fn committed_by_count(mut durable: Vec<Seq>, majority: usize, start: Seq) -> Option<Seq> {
    durable.sort_unstable();
    let fewer = usize::from(planted(Mutant::CommitWithoutMajority) && majority > 1);
    let index = durable.len().checked_sub(majority - fewer)?;
    let on_majority = durable.get(index).copied();
    on_majority.filter(|seq| *seq >= start || planted(Mutant::CountOldEpochs))
}

impl Replica {
    /// Counts again, as a leader.
    pub(crate) fn advance_commit(&mut self, ctx: &mut Context<'_>) {
        if let Some(copies) = self.min_copies() {
            self.advance_by_copies(copies, ctx);
            return;
        }
        let Some(leadership) = &self.leadership else {
            return;
        };
        let start = leadership.start;
        let durable = self.durable_by_voter();
        if let Some(commit) = committed_by_count(durable, self.config().majority(), start)
            && commit > self.commit
        {
            self.committed(commit, ctx);
        }
    }

    /// How far each voter holds this leader's log durably, as far as it is known.
    pub(crate) fn durable_by_voter(&self) -> Vec<Seq> {
        let Some(leadership) = &self.leadership else {
            return Vec::new();
        };
        let voters = self.config().voter_ids().iter();
        let learners = leadership.followers.keys();
        let learners =
            learners.filter(|id| planted(Mutant::LearnersCount) && !self.config().contains(**id));
        voters
            .chain(learners)
            .map(|voter| {
                if *voter == self.me && planted(Mutant::CountBeforeSync) {
                    return self.log.tail().seq;
                }
                if *voter == self.me {
                    return self.log.durable().seq;
                }
                let follower = leadership.followers.get(voter);
                follower.map_or(Seq::ZERO, |follower| follower.acked)
            })
            .collect()
    }

    /// Everything up to `commit` is committed: on either side, and for the first time here.
    pub(crate) fn committed(&mut self, commit: Seq, ctx: &mut Context<'_>) {
        if commit <= self.commit {
            return;
        }
        self.commit = commit;
        if let Some(leadership) = &mut self.leadership {
            leadership.committed_at = ctx.now.mono;
        }
        self.producers.commit(commit);
        ctx.effects.push(Effect::Committed { commit });
        while let Some(decision) = self.controls.next_committed(commit) {
            match decision {
                Decision::Trim(upto) => ctx.effects.push(Effect::Trim { upto }),
                Decision::Settled(seq, fork) => self.on_settled(seq, fork, ctx),
                Decision::Delete => ctx.effects.push(Effect::Deleted),
            }
        }
        self.drop_settled(ctx);
        self.evict_recent();
        if self.role.get() == ReplicaRole::Leader {
            self.answer_committed(ctx);
            self.release_confirmed(ctx);
            self.push_to_all(ctx);
            self.check_transfer(ctx);
        }
    }

    /// Answers the requests whose events are committed now.
    fn answer_committed(&mut self, ctx: &mut Context<'_>) {
        let (commit, epoch) = (self.commit, self.epoch_seen());
        let durable = self.durable_by_voter();
        let least = self.min_copies().map_or(0, MinCopies::get);
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        for done in leadership.in_flight.take_committed(commit) {
            let copies = durable.iter().filter(|seq| **seq >= done.needs).count();
            let ticket = done.ticket;
            let outcome = ProduceOutcome::Appended {
                epoch,
                copies: u8::try_from(copies).unwrap_or(u8::MAX),
                degraded: copies < least,
                link: done.link,
                runs: done.into_runs(),
            };
            self.reply(ticket, outcome, ctx);
        }
    }
}
