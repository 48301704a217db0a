//! What is true only of the leader that is in force: the index of a linearizable read (protocol §15),
//! and that an event before an idempotent producer's next one is missing. Both wait until a majority
//! has confirmed, after the request, that this leader still leads.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    ReplicaRole, Seq, VoterId,
    frame::{ProduceOutcome, RetryReason},
};

use crate::{Context, Effect, Moment, Replica, Ticket, replication::nth_latest};

/// An answer that waits to be confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Unconfirmed {
    asked_at: Moment,
    answer: Answer,
}

#[derive(Clone, Debug)]
enum Answer {
    ReadIndex {
        ticket: Ticket,
        /// What it may read up to; not known before the epoch's first batch is committed, because
        /// earlier ones may be committed without this leader knowing it.
        index: Option<Seq>,
    },
    Produce {
        ticket: Ticket,
        outcome: ProduceOutcome,
    },
}

impl Replica {
    /// A client wants an index for a linearizable read.
    pub(crate) fn on_read_index(&mut self, ticket: Ticket, ctx: &mut Context<'_>) {
        let leads = self.role.get() == ReplicaRole::Leader;
        let hint = if leads { None } else { self.known_leader() };
        let commit = self.commit;
        let start = self.leadership.as_ref().map(|leadership| leadership.start);
        let knows = |start| commit >= start || planted(Mutant::ReadIndexOfOldEpoch);
        let index = start.and_then(|start| knows(start).then_some(commit));
        if !self.confirm(Answer::ReadIndex { ticket, index }, ctx) {
            ctx.effects.push(Effect::ReadIndexReady {
                ticket,
                result: Err(hint),
            });
        }
    }

    /// A producer is told something that only a leader in force can know. One that was deposed
    /// without knowing it may lack what the producer was promised.
    pub(crate) fn reply_when_confirmed(
        &mut self,
        ticket: Ticket,
        outcome: ProduceOutcome,
        ctx: &mut Context<'_>,
    ) {
        if !self.confirm(Answer::Produce { ticket, outcome }, ctx) {
            let outcome = ProduceOutcome::Retry {
                reason: RetryReason::QueueFull,
                after_ms: self.heartbeat_ms(),
                leader: None,
            };
            self.reply(ticket, outcome, ctx);
        }
    }

    /// `false` if it does not lead, or too much waits already.
    fn confirm(&mut self, answer: Answer, ctx: &mut Context<'_>) -> bool {
        let most = self.settings.unacked_requests;
        let Some(leadership) = &mut self.leadership else {
            return false;
        };
        if leadership.unconfirmed.len() >= most {
            return false;
        }
        leadership.unconfirmed.push(Unconfirmed {
            asked_at: ctx.now.mono,
            answer,
        });
        if self.config().majority() > 1 {
            ctx.effects.push(Effect::BeatNow);
        }
        self.release_confirmed(ctx);
        true
    }

    /// Gives the answers that a majority has confirmed.
    pub(crate) fn release_confirmed(&mut self, ctx: &mut Context<'_>) {
        if !self.awaits_acknowledgement() {
            return;
        }
        let majority = self.config().majority();
        let (commit, now, votes) = (self.commit, ctx.now.mono, self.is_voter());
        let followers = self.voting_followers();
        let mut confirmed: Vec<Moment> = followers.filter_map(|(_, f)| f.beat_acked).collect();
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        if commit < leadership.start {
            return;
        }
        if votes {
            confirmed.push(now);
        }
        let Some(confirmed) = nth_latest(confirmed, majority) else {
            return;
        };
        let epoch = leadership.epoch;
        let waiting = std::mem::take(&mut leadership.unconfirmed);
        let unasked = planted(Mutant::ReadIndexUnconfirmed);
        let (ready, waiting) = waiting
            .into_iter()
            .partition(|waiting| waiting.asked_at <= confirmed || unasked);
        leadership.unconfirmed = waiting;
        for Unconfirmed { answer, .. } in ready {
            match answer {
                Answer::ReadIndex { ticket, index } => ctx.effects.push(Effect::ReadIndexReady {
                    ticket,
                    result: Ok((epoch, index.unwrap_or(commit))),
                }),
                Answer::Produce { ticket, outcome } => self.reply(ticket, outcome, ctx),
            }
        }
    }

    /// Nothing that waits will be confirmed any more.
    pub(crate) fn give_up_unconfirmed(
        &mut self,
        unconfirmed: Vec<Unconfirmed>,
        successor: Option<VoterId>,
        ctx: &mut Context<'_>,
    ) {
        for Unconfirmed { answer, .. } in unconfirmed {
            match answer {
                Answer::ReadIndex { ticket, .. } => ctx.effects.push(Effect::ReadIndexReady {
                    ticket,
                    result: Err(successor),
                }),
                Answer::Produce { ticket, .. } => {
                    let outcome = self.not_leader(successor);
                    self.reply(ticket, outcome, ctx);
                }
            }
        }
    }
}
