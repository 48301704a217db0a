//! Two leaders meet. Both stand still, so that both compare the same two tails, and one of them
//! steps down. Which one is decided by [`steps_down`].

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{ReplicaRole, Seq};

use super::{
    Meeting, Pair, State,
    decide::{StandingStill, steps_down},
    step::{Rules, node_id},
};

impl Rules<'_> {
    /// A leader hears that another leads: it writes no more, and tells where its log ends once that
    /// is durable.
    pub(super) fn stand_still(&self, state: &State, me: u8) -> Option<State> {
        let node = &state.nodes[usize::from(me)];
        if self.bounds.meeting == Meeting::LaterEpoch {
            return None;
        }
        if !node.may_write() || state.leaders().all(|leader| leader == me) {
            return None;
        }
        let mut step = self.step(state, me);
        let node = step.node();
        node.still = true;
        node.sync();
        let (epoch, stood) = (node.seen, node.log.len());
        step.after.words.tell_stood(epoch, stood);
        Some(step.finish())
    }

    /// The other leader was not heard in time.
    pub(super) fn go_on(&self, state: &State, me: u8) -> Option<State> {
        if !state.nodes[usize::from(me)].still {
            return None;
        }
        let mut step = self.step(state, me);
        step.node().still = false;
        step.after.spent.expiries += 1;
        Some(step.finish())
    }

    /// A leader hears where the leader of `epoch` stood: still, or when it won.
    pub(super) fn compare(&self, state: &State, me: u8, epoch: Pair) -> Option<State> {
        let node = &state.nodes[usize::from(me)];
        let told = state.words.of(epoch)?;
        if !node.leads() || !node.still || told.stood == 0 || epoch.leader() == me {
            return None;
        }
        let at = |length, node| StandingStill {
            tail: Seq::new(u64::from(length)),
            node: node_id(node),
        };
        let stood = node.log.len();
        if steps_down(at(stood, me), at(told.stood, epoch.leader())) {
            return Some(self.make_way(state, me, epoch));
        }
        let next = self.next_epoch(node, me, &[epoch])?;
        let mut step = self.step(state, me);
        step.node().still = false;
        step.begin(next);
        step.after.words.tell_stood(next, stood);
        Some(step.finish())
    }

    /// A leader hears the leader of a later epoch.
    pub(super) fn yield_to(&self, state: &State, me: u8, epoch: Pair) -> Option<State> {
        let node = &state.nodes[usize::from(me)];
        let settled = self.bounds.meeting == Meeting::LaterEpoch;
        let later = settled && node.leads() && epoch > node.seen && state.words.of(epoch).is_some();
        later.then(|| self.make_way(state, me, epoch))
    }

    fn make_way(&self, state: &State, me: u8, epoch: Pair) -> State {
        let mut step = self.step(state, me);
        step.change_role(ReplicaRole::Replica, TransitionSignal::PeerLeaderObserved);
        let node = step.node();
        node.still = false;
        node.seen = node.seen.max(epoch);
        node.kept_seen = node.seen;
        step.finish()
    }
}
