//! One step of one node: the state as it becomes.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{NodeId, ReplicaRole};

use super::{Bounds, Entry, Fork, Log, Mutant, Node, Pair, State};
use crate::{Coverage, voter::voter};

/// What decides about every step: how far the run goes, and which mistake is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(super) bounds: Bounds,
    pub(super) mutant: Option<Mutant>,
    pub(super) coverage: &'a Coverage,
    /// The highest number of an epoch that may be begun.
    pub(super) epochs: u8,
}

impl<'a> Rules<'a> {
    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The state in which `me` begins a step.
    pub(super) fn step(&self, before: &State, me: u8) -> Step<'a> {
        Step {
            rules: *self,
            me,
            after: before.clone(),
        }
    }

    /// The epoch as it stands in batches.
    pub(super) fn written(&self, epoch: Pair) -> Pair {
        if self.is(Mutant::EpochWithoutLeader) {
            Pair::new(epoch.n(), 0)
        } else {
            epoch
        }
    }
}

/// A step under way.
pub(crate) struct Step<'a> {
    pub(super) rules: Rules<'a>,
    pub(super) me: u8,
    pub(super) after: State,
}

impl Step<'_> {
    pub(super) fn node(&mut self) -> &mut Node {
        &mut self.after.nodes[usize::from(self.me)]
    }

    pub(super) fn change_role(&mut self, to: ReplicaRole, signal: TransitionSignal) {
        let coverage = self.rules.coverage;
        self.node().change_role(to, signal, coverage);
    }

    /// Appends a batch to the log of a leader, who tells it while it is being written.
    pub(super) fn append(&mut self, entry: Entry) {
        let node = self.node();
        node.log.push(entry);
        let (epoch, log) = (node.seen, node.log);
        self.after.words.tell(epoch, log);
    }

    /// A store has a fork more.
    pub(super) fn seal(&mut self, log: Log, base: u8) {
        let durable = !self.rules.is(Mutant::CutBeforeForkIsDurable);
        let holder = self.me;
        self.after.forks.insert(Fork {
            log,
            base,
            holder,
            durable,
        });
    }

    /// The state after, once the leaders have acknowledged what they can.
    pub(super) fn finish(mut self) -> State {
        let nodes = &self.after.nodes[..usize::from(self.rules.bounds.nodes)];
        let early = self.rules.is(Mutant::AckBeforeSync);
        self.after.observed.acknowledge(nodes, early);
        self.after.forget_the_dead(self.rules.bounds);
        self.after
    }
}

/// The name of a node, in the same order as that of its voter.
pub(super) fn node_id(number: u8) -> NodeId {
    NodeId::from_bytes(*voter(number).as_bytes())
}
