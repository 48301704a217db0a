//! A replica begins to lead, and a leader takes events.
//!
//! Whoever hears nobody may lead, so in the model any replica may at any time: its candidacy and
//! its victory are one step, since nobody can tell them apart. The rank of candidates only makes
//! conflicts rarer.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{Epoch, ReplicaRole};

use super::{
    Entry, Mutant, Node, Pair, State,
    decide::next_epoch,
    mark::Mark,
    step::{Rules, Step},
};
use crate::voter::voter;

impl Rules<'_> {
    /// The next epoch of `me`, if one more may be begun.
    pub(super) fn next_epoch(&self, node: &Node, me: u8, heard: &[Pair]) -> Option<Pair> {
        let heard = heard.iter().copied().chain([node.seen]);
        let next: Epoch = next_epoch(heard.map(Pair::epoch), voter(me));
        let room = u64::from(self.epochs) >= next.n && node.log.has_room();
        room.then(|| Pair::of(next)).flatten()
    }

    pub(super) fn lead(&self, state: &State, me: u8) -> Option<State> {
        let node = &state.nodes[usize::from(me)];
        if node.role != ReplicaRole::Replica || !node.is_all_durable() {
            return None;
        }
        let epoch = self.next_epoch(node, me, &[])?;
        let mut step = self.step(state, me);
        step.change_role(ReplicaRole::Candidate, TransitionSignal::MissedHeartbeats);
        step.change_role(ReplicaRole::Leader, TransitionSignal::ElectionWon);
        step.begin(epoch);
        Some(step.finish())
    }

    /// A replica refuses what a leader tells, because it has seen a later epoch. The leader stays
    /// one: there may be nobody who leads in that epoch.
    pub(super) fn outdo(&self, state: &State, me: u8) -> Option<State> {
        let node = &state.nodes[usize::from(me)];
        if !node.may_write() || self.is(Mutant::LateEpochNotOutdone) {
            return None;
        }
        let others = state.nodes(self.bounds).map(|(_, other)| other);
        let replicas = others.filter(|other| other.role == ReplicaRole::Replica);
        let later = replicas.map(|other| other.seen).max()?;
        if later <= node.seen {
            return None;
        }
        let epoch = self.next_epoch(node, me, &[later])?;
        self.coverage.mark(Mark::Outdone as u8);
        let mut step = self.step(state, me);
        step.begin(epoch);
        Some(step.finish())
    }

    pub(super) fn publish(&self, state: &State, me: u8, id: u8) -> Option<State> {
        let node = &state.nodes[usize::from(me)];
        if !node.may_write() || !node.log.has_room() {
            return None;
        }
        let (epoch, seq) = (node.seen, node.log.len() + 1);
        let mut step = self.step(state, me);
        step.append(Entry::event(self.written(epoch), id));
        if id > self.bounds.numbered {
            step.after.observed.places[usize::from(id)] = (epoch, seq);
            step.after.spent.plain += 1;
        } else if id > state.spent.numbered {
            step.after.spent.numbered += 1;
        } else {
            step.after.spent.retries += 1;
        }
        Some(step.finish())
    }

    /// A leader that knows the event says so when it is durable, which needs no step of its own.
    pub(super) fn retry(&self, state: &State, me: u8, id: u8) -> Option<State> {
        let node = &state.nodes[usize::from(me)];
        if !node.log.has_event(id) {
            return self.publish(state, me, id);
        }
        if !node.may_write() || !self.is(Mutant::DuplicateAckedAtOnce) {
            return None;
        }
        let mut step = self.step(state, me);
        step.after.observed.acked[0] |= 1 << id;
        step.after.spent.retries += 1;
        Some(step.finish())
    }
}

impl Step<'_> {
    /// A leader begins an epoch: durably, and then with the first batch of it.
    pub(super) fn begin(&mut self, epoch: Pair) {
        let node = self.node();
        node.seen = epoch;
        if !self.rules.is(Mutant::EpochLostOnCrash) {
            self.node().kept_seen = epoch;
        }
        let written = self.rules.written(epoch);
        self.after.observed.begin(written);
        self.append(Entry::epoch_start(written));
    }
}
