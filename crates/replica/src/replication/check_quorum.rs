//! A leader that nobody follows any more must notice it by itself (protocol §6 CheckQuorum, I12).

use tetrarch_fsm::TransitionSignal;
use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Epoch, ReplicaRole, VoterId};

use super::{follower::Follower, leadership::nth_latest};
use crate::{Context, Input, Moment, Replica};

impl Replica {
    /// Steps down if no majority has been heard for an election timeout. Part of every step, and
    /// the first one: a leader that was suspended acknowledges nothing before it.
    pub(crate) fn check_quorum(&mut self, ctx: &mut Context<'_>) {
        let deadline = self.quorum_deadline();
        let signal = if planted(Mutant::WrongSignal) {
            TransitionSignal::ElectionLost
        } else {
            TransitionSignal::QuorumLost
        };
        if deadline.is_some_and(|at| at <= ctx.now.mono)
            && !planted(Mutant::NeverLoseQuorum)
            && self.change_role(
                ReplicaRole::Replica,
                signal,
                "no majority of the voters was heard within the election timeout",
                ctx,
            )
        {
            self.after_stepping_down(ReplicaRole::Leader, None, ctx);
        }
    }

    /// When leadership ends if nobody is heard from now on: an election timeout after the
    /// majority, this leader included, was heard last. Never if it is a majority by itself.
    pub(crate) fn quorum_deadline(&self) -> Option<Moment> {
        let leadership = self.leadership.as_ref()?;
        if self.is_available() {
            return None; // It may be alone.
        }
        let own = usize::from(self.is_voter());
        let others = self.config().majority().saturating_sub(own);
        if others == 0 {
            return None;
        }
        let followers = self.voting_followers();
        let contacts = followers.map(|(_, one)| one.contact).collect();
        Some(nth_latest(contacts, others)?.plus(leadership.quorum_timeout))
    }

    /// Takes in what beats have said again since the last step ([`crate::beat::Told::due`]). All of
    /// the contacts are noted before the time is looked at: each counts for when its beat was sent,
    /// so a leader that was suspended gains nothing by it, and one that was only not looked at does
    /// not step down.
    pub fn step_repeated(&mut self, inputs: Vec<Input>, ctx: &mut Context<'_>) {
        for input in &inputs {
            if let Input::BeatAcked {
                voter,
                epoch,
                sent_at,
            } = input
            {
                self.note_contact(*voter, *epoch, (*sent_at).min(ctx.now.mono));
            }
        }
        for input in inputs {
            self.step(input, ctx);
        }
    }

    fn note_contact(&mut self, voter: VoterId, epoch: Epoch, at: Moment) -> Option<&mut Follower> {
        let leadership = self.leadership.as_mut()?;
        if leadership.epoch != epoch {
            return None;
        }
        let follower = leadership.followers.get_mut(&voter)?;
        follower.contact = follower.contact.max(at);
        Some(follower)
    }

    /// A voter acknowledged a beat of this epoch that was sent at `sent_at`.
    pub(crate) fn on_beat_acked(
        &mut self,
        voter: VoterId,
        epoch: Epoch,
        sent_at: Moment,
        ctx: &mut Context<'_>,
    ) {
        let now = ctx.now.mono;
        let sent_at = sent_at.min(now);
        let Some(follower) = self.note_contact(voter, epoch, sent_at) else {
            return;
        };
        follower.beat_acked = follower.beat_acked.max(Some(sent_at));
        if !follower.connected {
            follower.connected = true;
            follower.search(now);
        }
        self.release_confirmed(ctx);
    }
}
