//! What only a leader has: its followers, its clients' requests and what they wait for. It begins
//! when an election is won and ends, whole, when the role is left.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    Batch, Epoch, ForkId, NodeId, ReplicaRole, Seq, VoterId,
    batch::Control,
    frame::{ProduceOutcome, RetryReason},
};

use super::follower::Follower;
use crate::{
    Context, Effect, Moment, Replica, Ticket,
    available::{Collection, Lacking},
    catchup::Offer,
    confirmation::Unconfirmed,
    produce::{InFlight, Staging},
    transfer::Transfer,
};

/// A term of leadership.
#[derive(Debug)]
pub(crate) struct Leadership {
    pub(crate) epoch: Epoch,
    /// Where the epoch begins: nothing counts as committed by number before this is.
    pub(crate) start: Seq,
    /// Class `available`: what waits for copies.
    pub(crate) lacking: Option<Lacking>,
    /// The fork that is being taken into the log.
    pub(crate) collection: Option<Box<Collection>>,
    /// The fork that was, or was begun with, last.
    pub(crate) last_collected: Option<ForkId>,
    /// Forks that were, latest last.
    pub(crate) settled_forks: VecDeque<ForkId>,
    pub(crate) followers: BTreeMap<VoterId, Follower>,
    /// When the commit position moved last, or when the epoch began.
    pub(crate) committed_at: Moment,
    /// The end of what was sent to anybody in this epoch.
    pub(crate) sent: Seq,
    pub(crate) staging: Staging,
    pub(crate) in_flight: InFlight,
    pub(crate) unconfirmed: Vec<Unconfirmed>,
    pub(crate) transfer: Option<Transfer>,
    /// How long it goes on without hearing a majority.
    pub(crate) quorum_timeout: Duration,
    /// When the next step towards what the catalog wants is due, if not at once.
    pub(crate) placement_at: Option<Moment>,
    /// The snapshot that is being given to replicas that lack what was dropped.
    pub(crate) offer: Option<Offer>,
}

impl Leadership {
    /// Batches up to `end` leave for a voter.
    pub(crate) fn note_sent(&mut self, voter: VoterId, batches: &[Batch], now: Moment) {
        let Some(end) = batches.last().map(Batch::position) else {
            return;
        };
        self.sent = self.sent.max(end.seq);
        if let Some(follower) = self.followers.get_mut(&voter) {
            let bytes = batches.iter().map(Batch::size).sum();
            follower.sent(end, bytes, batches.len(), now);
        }
    }

    /// Takes back requests whose batches lie after `point`; nobody has seen them. Followers that
    /// were only told of the position there are searched for again.
    pub(crate) fn take_back(&mut self, point: Seq, now: Moment) -> Vec<(Ticket, ProduceOutcome)> {
        let followers = self.followers.values_mut();
        for follower in followers.filter(|follower| follower.next.seq > point) {
            follower.search(now);
        }
        // What of a fork was appended is gone as well: it is begun with anew.
        if !planted(Mutant::TakenBackCounts) {
            self.collection = None;
        }
        self.in_flight.take_back(point)
    }
}

impl Replica {
    /// Begins to lead the epoch that this replica was elected for.
    pub(crate) fn begin_leadership(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let previous = self.log.tail();
        let epoch = Epoch::new(self.hard_state.epoch_seen.n, self.me);
        let others = self.all_members().into_iter().map(|member| member.id());
        let followers = others
            .filter(|voter| *voter != self.me)
            .map(|voter| {
                let mut follower = Follower::new(previous, now);
                follower.connected = !self.silence.is_lost(voter);
                (voter, follower)
            })
            .collect();
        let quorum_timeout = self.with_jitter(self.settings.election_timeout, ctx);
        let mut staging = Staging::default();
        staging.begin_with(Control::EpochStart {
            observed_prev_high: previous.seq.max(self.commit),
        });
        self.leadership = Some(Box::new(Leadership {
            epoch,
            start: previous.seq.next(),
            lacking: None,
            collection: None,
            last_collected: None,
            settled_forks: VecDeque::new(),
            followers,
            committed_at: now,
            sent: Seq::ZERO,
            staging,
            in_flight: InFlight::default(),
            unconfirmed: Vec::new(),
            transfer: None,
            quorum_timeout,
            placement_at: None,
            offer: None,
        }));
        self.following.forget();
        self.form_batches(ctx);
        ctx.effects.push(Effect::BeatNow);
    }

    /// Ends it: every request gets an answer, and none that might not hold.
    pub(crate) fn end_leadership(&mut self, successor: Option<VoterId>, ctx: &mut Context<'_>) {
        let Some(mut leadership) = self.leadership.take() else {
            return;
        };
        for ticket in leadership.in_flight.drain_all() {
            let mut outcome = ProduceOutcome::Indeterminate;
            if planted(Mutant::RetryForInFlight) {
                outcome = self.not_leader(successor);
            }
            self.reply(ticket, outcome, ctx);
        }
        let (staged, perhaps_known) = leadership.staging.drain();
        for ticket in staged {
            let outcome = self.not_leader(successor);
            self.reply(ticket, outcome, ctx);
        }
        for ticket in perhaps_known {
            self.reply(ticket, ProduceOutcome::Indeterminate, ctx);
        }
        self.give_up_unconfirmed(leadership.unconfirmed, successor, ctx);
        if let Some(transfer) = leadership.transfer {
            self.transfer_continues(transfer, ctx);
        }
        self.reads.clear();
        self.drop_stuck_writes();
    }

    /// What a client is told whose request reached a node that does not lead.
    pub(crate) fn not_leader(&self, leader: Option<VoterId>) -> ProduceOutcome {
        let leader = leader.and_then(|voter| self.node_of(voter));
        let (reason, after_ms) = if leader.is_some() {
            (RetryReason::NotLeader, 0)
        } else {
            (RetryReason::NoLeader, self.heartbeat_ms())
        };
        ProduceOutcome::Retry {
            reason,
            after_ms,
            leader,
        }
    }

    pub(crate) fn heartbeat_ms(&self) -> u32 {
        u32::try_from(self.settings.heartbeat.as_millis()).unwrap_or(u32::MAX)
    }

    /// The node that a voter is.
    pub(crate) fn node_of(&self, voter: VoterId) -> Option<NodeId> {
        self.member(voter).map(|member| member.node)
    }

    /// Who leads, as far as this replica knows.
    pub(crate) fn known_leader(&self) -> Option<VoterId> {
        match self.role.get() {
            ReplicaRole::Leader => Some(self.me),
            ReplicaRole::Replica | ReplicaRole::Candidate | ReplicaRole::Idle => {
                self.following.leader.map(|epoch| epoch.leader)
            }
        }
    }

    /// A span with up to a third of it added by chance.
    pub(crate) fn with_jitter(&self, span: Duration, ctx: &mut Context<'_>) -> Duration {
        span + chance_below(span / 3, ctx)
    }
}

/// A random span below `limit`.
pub(crate) fn chance_below(limit: Duration, ctx: &mut Context<'_>) -> Duration {
    let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(ctx.chance.next_u64() % nanos)
}

/// The `count`-th latest of some moments, counting from 1.
pub(crate) fn nth_latest(mut moments: Vec<Moment>, count: usize) -> Option<Moment> {
    moments.sort_unstable();
    let index = moments.len().checked_sub(count)?;
    moments.get(index).copied()
}
