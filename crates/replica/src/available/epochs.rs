//! Epochs where several leaders may exist at once: they are compared as a whole, number and leader, and
//! the leader of the earlier one follows as soon as it hears of the later.

use tetrarch_wire::{Epoch, HardState, ReplicaRole, VoterId, batch::Control};

use crate::{Context, Effect, Replica};

/// The epoch in which `me` begins to lead, or leads on after it was told of a later one: its number is
/// higher than all that were heard of. It must be durable before anything is written in it.
#[must_use]
pub fn next_epoch(seen: impl IntoIterator<Item = Epoch>, me: VoterId) -> Epoch {
    let highest = seen.into_iter().map(|epoch| epoch.n).max();
    Epoch::new(highest.unwrap_or(0) + 1, me)
}

impl Replica {
    /// A leader of an earlier epoch than the promised one speaks. It is told so, but for one case: who
    /// follows a leader of the later epoch that is heard says nothing. Else two leaders that hear the same
    /// replica, but not each other, would outdo each other for ever, and the replica would seal and cut
    /// each time.
    pub(crate) fn tell_outdated(&mut self, leader: VoterId, ctx: &mut Context<'_>) {
        let follows_another = self.is_available()
            && self.role.get() != ReplicaRole::Leader
            && self.hears_a_leader(ctx.now.mono);
        if !follows_another {
            self.refuse_stale(leader, ctx);
        }
    }

    /// A node of an `available` channel answers in a later epoch than the promised one. If it leads that
    /// epoch it is followed. Else nobody is heard there any more: a leader begins an epoch that is later
    /// still, without a change of role, or the other would refuse it for good.
    pub(crate) fn told_of_later(&mut self, from: VoterId, epoch: Epoch, ctx: &mut Context<'_>) {
        if epoch.leader == from {
            self.follow(epoch, ctx);
        } else if self.role.get() == ReplicaRole::Leader {
            self.outdo(epoch, ctx);
        }
    }

    fn outdo(&mut self, told: Epoch, ctx: &mut Context<'_>) {
        let epoch = next_epoch([self.hard_state.epoch_seen, told], self.me);
        let now = ctx.now.mono;
        let promise = HardState {
            epoch_seen: epoch,
            voted_for: None,
            limbo: self.hard_state.limbo,
        };
        self.persist_hard_state(promise, ctx);
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        leadership.epoch = epoch;
        leadership.staging.begin_with(Control::EpochStart {
            observed_prev_high: self.log.tail().seq,
        });
        for follower in leadership.followers.values_mut() {
            follower.search(now);
        }
        self.form_batches(ctx);
        self.probe_all(ctx);
        ctx.effects.push(Effect::BeatNow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_epoch_is_above_all_that_were_seen() {
        let voter = |byte| VoterId::from_bytes([byte; 16]);
        let seen = [
            Epoch::new(3, voter(9)),
            Epoch::new(5, voter(1)),
            Epoch::NONE,
        ];
        assert_eq!(next_epoch(seen, voter(2)), Epoch::new(6, voter(2)));
        assert_eq!(next_epoch([], voter(2)), Epoch::new(1, voter(2)));
    }
}
