//! Linearizable reads by the leader (protocol §15): the commit position, once a majority has
//! confirmed after the request that this leader still leads.

use tetrarch_wire::{ReplicaRole, Seq};

use crate::{Context, Effect, Moment, Replica, Ticket, replication::nth_latest};

/// A read that waits to be confirmed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitingRead {
    pub(crate) ticket: Ticket,
    asked_at: Moment,
    /// What it may read up to; not known before the epoch's first batch is committed, because
    /// earlier ones may be committed without this leader knowing it.
    index: Option<Seq>,
}

impl Replica {
    /// A client wants an index for a linearizable read.
    pub(crate) fn on_read_index(&mut self, ticket: Ticket, ctx: &mut Context<'_>) {
        let leads = self.role.get() == ReplicaRole::Leader;
        let hint = if leads { None } else { self.known_leader() };
        let (commit, most) = (self.commit, self.settings.unacked_requests);
        match &mut self.leadership {
            Some(leadership) if leadership.reads.len() < most => {
                leadership.reads.push(WaitingRead {
                    ticket,
                    asked_at: ctx.now.mono,
                    index: (commit >= leadership.start).then_some(commit),
                });
                if self.config().majority() > 1 {
                    ctx.effects.push(Effect::BeatNow);
                }
                self.release_reads(ctx);
            }
            Some(_) | None => ctx.effects.push(Effect::ReadIndexReady {
                ticket,
                result: Err(hint),
            }),
        }
    }

    /// Answers the reads that a majority has confirmed.
    pub(crate) fn release_reads(&mut self, ctx: &mut Context<'_>) {
        if !self.awaits_acknowledgement() {
            return;
        }
        let majority = self.config().majority();
        let (commit, now, votes) = (self.commit, ctx.now.mono, self.is_voter());
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        if commit < leadership.start {
            return;
        }
        let followers = leadership.followers.values();
        let mut confirmed: Vec<Moment> = followers.filter_map(|f| f.beat_acked).collect();
        if votes {
            confirmed.push(now);
        }
        let confirmed = nth_latest(confirmed, majority);
        let epoch = leadership.epoch;
        leadership.reads.retain_mut(|read| {
            let index = *read.index.get_or_insert(commit);
            let ready = confirmed.is_some_and(|at| at >= read.asked_at);
            if ready {
                ctx.effects.push(Effect::ReadIndexReady {
                    ticket: read.ticket,
                    result: Ok((epoch, index)),
                });
            }
            !ready
        });
    }
}
