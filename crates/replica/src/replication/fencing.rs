//! A higher epoch ends everything said in a lower one (protocol §7.5, I12): whoever learns of one
//! makes it durable and steps down.

use tetrarch_fsm::TransitionSignal;
use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Epoch, HardState, ReplicaRole, VoterId};

use crate::{Context, Replica};

impl Replica {
    /// Whether `one` comes before `other`: by number in class `quorum`, where a number has one leader at
    /// most, and by number and leader in class `available`.
    pub(crate) fn is_earlier(&self, one: Epoch, other: Epoch) -> bool {
        if self.is_available() && !planted(Mutant::EpochByNumber) {
            one < other
        } else {
            one.n < other.n
        }
    }

    /// Whether this epoch is later than the promised one.
    pub(crate) fn is_later(&self, epoch: Epoch) -> bool {
        self.is_earlier(self.hard_state.epoch_seen, epoch)
    }

    /// Whether the promised epoch is later than this one.
    pub(crate) fn is_over(&self, epoch: Epoch) -> bool {
        self.is_earlier(epoch, self.hard_state.epoch_seen)
    }

    /// A higher epoch exists. `leader` is who leads it, if the news comes from that leader.
    pub(crate) fn adopt(&mut self, n: u64, leader: Option<VoterId>, ctx: &mut Context<'_>) {
        debug_assert!(n > self.hard_state.epoch_seen.n || self.is_available());
        let successor = self.successor_in(n);
        if let Some(successor) = successor.filter(|one| leader.is_none_or(|other| other == *one)) {
            // Its request for this vote is on the way: this leadership was given up, not taken.
            self.relinquish_to(successor, ctx);
        }
        self.step_down_for(leader, "a higher epoch exists", ctx);
        self.following.forget();
        self.forget_catch_up();
        let promise = HardState {
            epoch_seen: Epoch::new(n, leader.unwrap_or(VoterId::NONE)),
            voted_for: None,
            limbo: self.hard_state.limbo,
        };
        self.persist_hard_state(promise, ctx);
    }

    /// Whom this leader told to stand, if `n` is the number of the epoch that it stands for.
    fn successor_in(&self, n: u64) -> Option<VoterId> {
        let leadership = self.leadership.as_deref()?;
        let transfer = leadership.transfer.as_ref()?;
        transfer
            .ordered_to()
            .filter(|_| n == leadership.epoch.n + 1)
    }

    /// Gives up leadership or candidacy because another leads or will.
    fn step_down_for(
        &mut self,
        leader: Option<VoterId>,
        reason: &'static str,
        ctx: &mut Context<'_>,
    ) {
        let role = self.role.get();
        let signal = match role {
            ReplicaRole::Leader => TransitionSignal::PeerLeaderObserved,
            ReplicaRole::Candidate => TransitionSignal::ElectionLost,
            ReplicaRole::Replica | ReplicaRole::Idle => return,
        };
        if self.change_role(ReplicaRole::Replica, signal, reason, ctx) {
            self.after_stepping_down(role, leader, ctx);
        }
    }

    /// A candidate that votes for another is one no longer.
    pub(crate) fn step_aside(&mut self, ctx: &mut Context<'_>) {
        if self.role.get() == ReplicaRole::Candidate {
            self.step_down_for(None, "another candidate gets this vote", ctx);
        }
    }

    /// The leader of `epoch` speaks. Says whether it is to be followed: not if a higher epoch is
    /// known.
    pub(crate) fn follow(&mut self, epoch: Epoch, ctx: &mut Context<'_>) -> bool {
        if (self.is_over(epoch) && !planted(Mutant::FollowLowerEpoch)) || epoch.leader == self.me {
            return false;
        }
        if self.is_later(epoch) {
            self.adopt(epoch.n, Some(epoch.leader), ctx);
        } else if self.following.leader.is_some_and(|known| known != epoch) {
            // Two leaders of one number cannot both have been elected; the first one heard is.
            self.refused += 1;
            return false;
        }
        if self.role.get() == ReplicaRole::Candidate {
            self.step_down_for(Some(epoch.leader), "a live leader was heard", ctx);
        }
        if self.role.get() != ReplicaRole::Replica && !self.pressure.is_parked {
            return false;
        }
        if self.following.leader != Some(epoch) {
            self.following.follow(epoch, ctx.now.mono);
            self.thrash.settled();
            self.forget_catch_up();
            self.handover_ends(epoch.leader, ctx);
            if planted(Mutant::CutToCommit)
                && let Some(point) = self.log.position_at(self.commit)
            {
                self.truncate(point, ctx);
            }
        }
        true
    }
}
