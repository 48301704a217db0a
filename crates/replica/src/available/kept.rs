//! The forks that a replica keeps: it tells its leader of them until they are settled, gives their batches,
//! and drops its copy once its own log settles it (protocol §10).

use std::collections::BTreeMap;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    Batch, ForkId, ReplicaRole, Seq, VoterId,
    frame::{ChannelMessage, ForkChunk, ForkPull, ForkReport},
};

use crate::{
    Context, Effect, LogReadFailure, Moment, Replica,
    catchup::{ReadPurpose, cut_to_frame},
};

/// So many heartbeats pass from one report to the next.
const REPORT_EVERY: u32 = 5;
/// Most forks that are told of at once.
const REPORTED_AT_ONCE: usize = 4;

/// The forks on this node, and which of them the log settles.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Those that hold events.
    forks: BTreeMap<ForkId, ForkReport>,
    /// Settled by a batch that ends there, and not dropped yet.
    settled: Vec<(Seq, ForkId)>,
    /// Those without events, which nobody needs: not dropped yet.
    empty: Vec<ForkId>,
    /// When they are told of next, if not at once.
    report_at: Option<Moment>,
}

impl Kept {
    pub(crate) fn recovered(forks: Vec<ForkReport>) -> Self {
        let mut kept = Self::default();
        forks.into_iter().for_each(|fork| kept.add(fork));
        kept
    }

    pub(super) fn add(&mut self, fork: ForkReport) {
        if fork.events == 0 {
            self.empty.push(fork.fork);
            return;
        }
        self.forks.insert(fork.fork, fork);
        self.report_at = None;
    }

    /// How many there are, and how many events are in them.
    pub(crate) fn count(&self) -> (u64, u64) {
        let events = self.forks().map(|fork| fork.events).sum();
        (self.forks().count() as u64, events)
    }

    pub(crate) fn forks(&self) -> impl Iterator<Item = &ForkReport> {
        self.forks.values()
    }

    pub(super) fn contains(&self, fork: ForkId) -> bool {
        self.forks.contains_key(&fork)
    }

    /// A committed batch settles a fork.
    pub(crate) fn settle(&mut self, seq: Seq, fork: ForkId) {
        if self.contains(fork) {
            self.settled.push((seq, fork));
        }
    }

    /// Everything after `after` was cut.
    pub(crate) fn truncate(&mut self, after: Seq) {
        self.settled.retain(|(seq, _)| *seq <= after);
    }
}

impl Replica {
    /// Drops the forks whose settlement is durable here: so no store ever holds less than it did.
    pub(crate) fn drop_settled(&mut self, ctx: &mut Context<'_>) {
        for fork in std::mem::take(&mut self.kept.empty) {
            ctx.effects.push(Effect::DropFork { fork });
        }
        let durable = self.log.durable().seq;
        let settled = std::mem::take(&mut self.kept.settled);
        for (seq, fork) in settled {
            if seq > durable && !planted(Mutant::ForkDroppedEarly) {
                self.kept.settled.push((seq, fork));
            } else if self.kept.forks.remove(&fork).is_some() {
                ctx.effects.push(Effect::DropFork { fork });
            }
        }
    }

    /// When the leader is told of forks next.
    pub(crate) fn report_deadline(&self) -> Option<Moment> {
        let follows = self.following.leader.is_some() && self.following.verified.is_some();
        if self.kept.forks.is_empty() || !follows {
            return None;
        }
        let at_once = Moment::default();
        Some(self.kept.report_at.unwrap_or(at_once))
    }

    /// Part of a replica's tick.
    pub(crate) fn report_forks(&mut self, ctx: &mut Context<'_>) {
        let due = self.report_deadline();
        let Some(leader) = self.following.leader else {
            return;
        };
        if self.role.get() != ReplicaRole::Replica || due.is_none_or(|at| ctx.now.mono < at) {
            return;
        }
        let pause = self.settings.heartbeat * REPORT_EVERY;
        self.kept.report_at = Some(ctx.now.mono.plus(pause));
        let told: Vec<ForkReport> = self.kept.forks().copied().take(REPORTED_AT_ONCE).collect();
        for fork in told {
            let message = ChannelMessage::ForkReport(fork);
            self.send(leader.leader, leader, message, ctx);
        }
    }

    /// The leader wants a part of a fork.
    pub(crate) fn on_fork_pull(&mut self, from: VoterId, pull: ForkPull, ctx: &mut Context<'_>) {
        if !self.kept.contains(pull.fork) {
            return; // It was dropped: the log of the leader that asks settled it.
        }
        self.reads
            .retain(|_, purpose| !matches!(purpose, ReadPurpose::ServeFork { .. }));
        let purpose = ReadPurpose::ServeFork {
            to: from,
            request: pull.request,
        };
        let most = u32::try_from(self.settings.frame_bytes).unwrap_or(u32::MAX);
        self.read_fork(purpose, pull.fork, pull.from, pull.max_bytes.min(most), ctx);
    }

    /// A part of a fork was read for the leader. What cannot be read is not answered: it asks again.
    pub(crate) fn on_fork_read_for(
        &mut self,
        to: VoterId,
        request: u64,
        result: Result<Vec<Batch>, LogReadFailure>,
        ctx: &mut Context<'_>,
    ) {
        if let (Ok(mut batches), Some(leader)) = (result, self.following.leader)
            && leader.leader == to
        {
            cut_to_frame(&mut batches, self.settings.frame_bytes);
            let message = ChannelMessage::ForkChunk(ForkChunk { request, batches });
            self.send(to, leader, message, ctx);
        }
    }

    pub(super) fn read_fork(
        &mut self,
        purpose: ReadPurpose,
        fork: ForkId,
        from: Seq,
        max_bytes: u32,
        ctx: &mut Context<'_>,
    ) {
        let ticket = self.next_read(purpose);
        ctx.effects.push(Effect::ReadFork {
            ticket,
            fork,
            from,
            max_bytes,
        });
    }
}
