//! One step of one node. What it does to itself and what it says are collected here, and make a
//! new state only if anything is different afterwards.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{ReplicaRole, Seq};

use super::{Acked, Message, Mutant, Node, Quorum, State};
use crate::Coverage;

/// A step under way.
pub(crate) struct Step<'a> {
    pub(crate) model: &'a Quorum,
    /// The state before.
    pub(crate) before: &'a State,
    /// Whose step it is.
    pub(crate) me: u8,
    /// That node, as it changes.
    pub(crate) node: Node,
    /// What clients were told, as it changes.
    pub(crate) acked: Acked,
    said: Vec<Message>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(model: &'a Quorum, before: &'a State, me: u8) -> Self {
        Self {
            model,
            before,
            me,
            node: before.nodes[usize::from(me)],
            acked: before.acked,
            said: Vec::new(),
        }
    }

    pub(crate) fn coverage(&self) -> &'a Coverage {
        self.model.coverage()
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.model.mutant() == Some(mutant)
    }

    pub(crate) fn change_role(&mut self, to: ReplicaRole, signal: TransitionSignal) {
        let coverage = self.coverage();
        self.node.change_role(to, signal, coverage);
    }

    pub(crate) fn say(&mut self, message: Message) {
        self.said.push(message);
    }

    /// The state after, or none if nothing is different.
    pub(crate) fn finish(self) -> Option<State> {
        let place = usize::from(self.me);
        let messages = &self.before.messages;
        let silent = self.said.iter().all(|message| messages.contains(message));
        let same = (&self.node, &self.acked) == (&self.before.nodes[place], &self.before.acked);
        if silent && same {
            return None;
        }
        let mut after = self.before.clone();
        after.nodes[place] = self.node;
        after.acked = self.acked;
        for message in self.said {
            after.messages.insert(message);
        }
        after.forget_the_dead(self.model.bounds());
        Some(after)
    }
}

/// A position in a log of the model.
pub(crate) fn small(seq: Seq) -> u8 {
    u8::try_from(seq.get()).expect("a log of the model has at most eight batches")
}
