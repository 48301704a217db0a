//! When a leader counts as silent, and when this replica stands (protocol §6). The same predicate
//! decides both about standing and about refusing votes while a leader is heard.

use std::{collections::BTreeSet, time::Duration};

use tetrarch_wire::{Epoch, Seq, VoterId, limits};

use crate::{Context, Moment, Replica, Settings};

/// What was heard of the leader, and what follows from hearing nothing.
#[derive(Clone, Debug)]
pub(crate) struct Silence {
    /// When the leader was heard last, or since when one is waited for.
    since: Moment,
    /// The leader took the channel out of its beats.
    withdrawn: bool,
    /// Voters to which there is no connection.
    lost: BTreeSet<VoterId>,
    /// When this replica stands, once the silence has been noticed.
    stand_at: Option<Moment>,
    /// It does not stand before: hysteresis after an election (protocol §6).
    not_before: Moment,
}

impl Silence {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            since: now,
            withdrawn: false,
            lost: BTreeSet::new(),
            stand_at: None,
            not_before: Moment::default(),
        }
    }

    /// Waits for a leader from now on.
    pub(crate) fn restart(&mut self, now: Moment) {
        self.since = self.since.max(now);
        self.withdrawn = false;
        self.stand_at = None;
    }

    /// The leader was heard.
    pub(crate) fn heard(&mut self, leader: VoterId, at: Moment) {
        self.lost.remove(&leader);
        self.restart(at);
    }

    /// Does not stand before `moment`.
    pub(crate) fn hold_off(&mut self, moment: Moment) {
        self.not_before = self.not_before.max(moment);
        self.stand_at = None;
    }

    /// Stands at `moment`.
    pub(crate) fn stand_at(&mut self, moment: Moment) {
        self.stand_at = Some(moment);
    }

    pub(crate) fn is_lost(&self, voter: VoterId) -> bool {
        self.lost.contains(&voter)
    }

    /// When the leader counts as silent: three intervals after it was heard, one if the
    /// connection is gone, at once if it withdrew.
    pub(super) fn begins_at(&self, leader: Option<VoterId>, settings: &Settings) -> Moment {
        let patience = if self.withdrawn {
            Duration::ZERO
        } else if leader.is_some_and(|leader| self.is_lost(leader)) {
            settings.heartbeat
        } else {
            settings.silence()
        };
        self.since.plus(patience)
    }

    /// When there is something to do about it next.
    pub(super) fn next_deadline(&self, leader: Option<VoterId>, settings: &Settings) -> Moment {
        let waited = self.begins_at(leader, settings).max(self.not_before);
        self.stand_at.unwrap_or(waited)
    }

    /// When this replica stands, if that is decided.
    pub(super) const fn standing_at(&self) -> Option<Moment> {
        self.stand_at
    }
}

impl Replica {
    fn leader_id(&self) -> Option<VoterId> {
        self.following.leader.map(|epoch| epoch.leader)
    }

    /// Whether a leader is heard, by this node's own silence predicate: then no vote is given but
    /// in a handover (leader stickiness, protocol §7.2).
    pub(crate) fn hears_a_leader(&self, now: Moment) -> bool {
        let leader = self.leader_id();
        leader.is_some() && now < self.silence.begins_at(leader, &self.settings)
    }

    /// When the silence calls for something.
    pub(crate) fn silence_deadline(&self) -> Moment {
        self.silence.next_deadline(self.leader_id(), &self.settings)
    }

    /// A beat of the leader covers this channel.
    pub(crate) fn on_leader_heard(
        &mut self,
        epoch: Epoch,
        commit: Seq,
        at: Moment,
        ctx: &mut Context<'_>,
    ) {
        if !self.has_a_say(epoch.leader) || epoch.n > limits::MAX_EPOCH {
            self.refused += 1;
            return;
        }
        if self.is_over(epoch) {
            if self.role.get() != tetrarch_wire::ReplicaRole::Idle && epoch.leader != self.me {
                self.tell_outdated(epoch.leader, ctx);
            }
            return;
        }
        if !self.follow(epoch, ctx) {
            return;
        }
        self.silence.heard(epoch.leader, at.min(ctx.now.mono));
        self.following.tell(commit);
        if let Some(verified) = self.following.verified {
            self.committed(commit.min(verified.seq), ctx);
        }
    }

    /// The leader took the channel out of its beats: as if it had been silent for long enough.
    pub(crate) fn on_leader_withdrew(&mut self, epoch: Epoch) {
        if self.following.leader == Some(epoch) {
            self.silence.withdrawn = true;
            self.silence.stand_at = None;
        }
    }

    /// A connection is gone.
    pub(crate) fn on_peer_lost(&mut self, peer: VoterId) {
        self.silence.lost.insert(peer);
        if let Some(follower) = self.follower_mut(peer) {
            follower.connected = false;
        }
    }

    /// There is a connection again: where the other's log stands is asked at once.
    pub(crate) fn on_peer_found(&mut self, peer: VoterId, ctx: &mut Context<'_>) {
        self.silence.lost.remove(&peer);
        let (tail, now) = (self.log.tail(), ctx.now.mono);
        if let Some(follower) = self.follower_mut(peer) {
            follower.connected = true;
            follower.search(now);
            self.probe(peer, tail, ctx);
        }
    }
}
