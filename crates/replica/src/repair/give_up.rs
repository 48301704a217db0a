//! A leader that cannot read what its followers lack commits nothing, however many it hears: it gives up, so
//! that a voter can lead whose log is whole (protocol §4 rule f, §6).
//!
//! Its followers hear it, so nobody would stand against it; and whoever has what it lacks may be one that
//! it does not hear itself.

use crate::{Context, Moment, Replica, replication::Flow};

/// For so many heartbeats a leader with a damaged log goes on that commits nothing.
const PATIENCE: u32 = 10;

impl Replica {
    /// Part of each tick of a leader.
    pub(crate) fn give_up_if_unreadable(&mut self, ctx: &mut Context<'_>) {
        let deadline = self.unreadable_deadline();
        if deadline.is_some_and(|at| at <= ctx.now.mono) {
            let reason = "a part of its log cannot be read, and nothing is committed";
            self.give_up(reason, ctx);
        }
    }

    /// When leadership is given up if nothing is committed until then. As long as every voter that is
    /// there is pushed to, what is damaged is not what keeps anything from being committed.
    pub(crate) fn unreadable_deadline(&self) -> Option<Moment> {
        let leadership = self.leadership.as_deref()?;
        let waits = self.commit < self.log.tail().seq;
        if self.repair.is_none() || !waits || leadership.transfer.is_some() {
            return None;
        }
        let mut followers = self.voting_followers();
        followers.find(|(_, one)| one.connected && one.flow == Flow::Search)?;
        let patience = self.settings.heartbeat * PATIENCE;
        Some(leadership.committed_at.plus(patience))
    }
}
