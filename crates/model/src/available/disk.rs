//! What happens to a node's disk and power: writes become durable, crashes take what was not.

use super::{State, step::Rules};

impl Rules<'_> {
    /// What was written is durable. What that lets a leader acknowledge it acknowledges at once.
    pub(super) fn persist(&self, state: &State, me: u8) -> Option<State> {
        let node = &state.nodes[usize::from(me)];
        if node.is_all_durable() && node.seen == node.kept_seen {
            return None;
        }
        let mut step = self.step(state, me);
        step.node().sync();
        Some(step.finish())
    }

    pub(super) fn keep_forks(&self, state: &State, me: u8) -> Option<State> {
        if state.forks.of(me).all(|fork| fork.durable) {
            return None;
        }
        let mut step = self.step(state, me);
        step.after.forks.keep(me);
        Some(step.finish())
    }

    /// Power fails and comes back.
    pub(super) fn crash(&self, state: &State, me: u8) -> Option<State> {
        let mut step = self.step(state, me);
        let coverage = self.coverage;
        step.node().crash(coverage);
        step.after.forks.lose_unkept(me);
        if step.after == *state {
            return None;
        }
        step.after.spent.crashes += 1;
        Some(step.finish())
    }
}
