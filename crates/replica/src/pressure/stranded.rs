//! A leader that reaches a majority of the voters, but only with such as have withdrawn from full disks.
//!
//! They count for its leadership, and not for what is committed (protocol §6): it could lead on for ever
//! without committing anything, while a voter that it reaches, and that has room, might reach enough
//! others. So it gives up and lets others stand first. It stays where that cannot help: nobody whom it
//! reaches has room, or so many have withdrawn that nobody could commit anything.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::ReplicaRole;

use super::is_withdrawing;
use crate::{Context, Moment, Replica, replication::nth_latest};

/// For so many heartbeats a leader goes on that cannot commit what waits.
const PATIENCE: u32 = 10;

impl Replica {
    /// Part of each tick of a leader.
    pub(crate) fn give_up_if_stranded(&mut self, ctx: &mut Context<'_>) {
        let deadline = self.stranded_deadline();
        if deadline.is_none_or(|at| ctx.now.mono < at) {
            return;
        }
        let reason = "too few of the voters that are heard have room to commit anything";
        if self.change_role(
            ReplicaRole::Replica,
            TransitionSignal::QuorumLost,
            reason,
            ctx,
        ) {
            self.after_stepping_down(ReplicaRole::Leader, None, ctx);
            self.leave_the_election_to_others(ctx);
        }
    }

    /// When leadership is given up if no voter with room is heard from now on.
    pub(crate) fn stranded_deadline(&self) -> Option<Moment> {
        let leadership = self.leadership.as_deref()?;
        if !self.settings.withdraws || self.is_available() {
            return None; // Nobody withdraws from this channel, or it takes events all the same.
        }
        let waits = self.commit < self.log.tail().seq || !leadership.staging.is_empty();
        if !waits || leadership.transfer.is_some() || self.majority_is_parked() {
            return None;
        }
        let own = usize::from(self.is_voter());
        let others = self.config().majority().saturating_sub(own);
        if others == 0 {
            return None;
        }
        let followers = self.voting_followers();
        let with_room = followers.filter(|(_, one)| !is_withdrawing(one.disk));
        let contacts: Vec<Moment> = with_room.map(|(_, one)| one.contact).collect();
        let latest = contacts.iter().max().copied()?;
        let deadline = nth_latest(contacts, others)?.plus(self.settings.heartbeat * PATIENCE);
        (deadline < latest.plus(leadership.quorum_timeout)).then_some(deadline)
    }
}
