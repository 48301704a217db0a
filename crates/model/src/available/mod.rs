//! The model of one channel of class `available`: which things may happen in a state, and what
//! follows from each.
//!
//! Whoever hears nobody leads, so several leaders write at once; when they meet, one of them steps
//! down, seals what it alone has, cuts it and follows, and the other takes it into its log. A
//! partition is nothing but words that are not heard for a while.

mod bounds;
mod conflict;
pub mod decide;
mod disk;
mod entry;
mod following;
mod fork;
mod heal;
mod leading;
mod log;
mod mark;
mod mutant;
mod node;
mod plan;
mod properties;
mod records;
mod settling;
mod state;
mod step;
mod told;

use std::sync::Arc;

use stateright::{Model, Property};
use tetrarch_wire::ReplicaRole;

pub use self::{
    bounds::{Bounds, Meeting},
    entry::{Entry, Pair},
    fork::{Fork, Forks},
    log::Log,
    mutant::Mutant,
    node::Node,
    state::{Action, Observed, Spent, State},
    told::{Told, Words},
};
use self::{heal::Healer, state::MOST_NODES, step::Rules};
use crate::{Channel, Coverage};

/// A channel within bounds, with at most one mistake.
#[derive(Clone, Debug)]
pub struct Available {
    bounds: Bounds,
    mutant: Option<Mutant>,
    coverage: Arc<Coverage>,
    healer: Arc<Healer>,
}

impl Available {
    /// The highest number of an epoch: a healing needs one more.
    pub const MOST_EPOCHS: u8 = Pair::MOST - 1;

    /// The protocol as it is meant to be.
    ///
    /// # Panics
    /// If it would not fit.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        assert!((2..=3).contains(&bounds.nodes), "2 or 3 nodes");
        assert!(bounds.epochs <= Self::MOST_EPOCHS, "at most 6 epochs");
        assert!(bounds.events() <= Entry::MOST, "at most 7 events");
        assert!(bounds.longest() <= Log::MOST, "a log would be too long");
        Self {
            bounds,
            mutant: None,
            coverage: Arc::default(),
            healer: Arc::default(),
        }
    }

    /// With a mistake.
    #[must_use]
    pub fn with(self, mutant: Mutant) -> Self {
        Self {
            mutant: Some(mutant),
            healer: Arc::default(),
            ..self
        }
    }

    /// How far it goes.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// What runs of this model have been through.
    #[must_use]
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    fn heals(&self, state: &State) -> bool {
        self.healer.heals(state, self.bounds, self.mutant)
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            bounds: self.bounds,
            mutant: self.mutant,
            coverage: &self.coverage,
            epochs: self.bounds.epochs,
        }
    }

    fn actions_of(&self, state: &State, me: u8, actions: &mut Vec<Action>) {
        let node = &state.nodes[usize::from(me)];
        match node.role {
            ReplicaRole::Replica => {
                actions.push(Action::Lead(me));
                actions.extend(state.words.iter().map(|told| Action::Hear(me, told.epoch)));
            }
            ReplicaRole::Leader if node.still => {
                if state.spent.expiries < self.bounds.expiries {
                    actions.push(Action::GoOn(me));
                }
                let stood = state.words.iter().filter(|told| told.stood > 0);
                actions.extend(stood.map(|told| Action::Compare(me, told.epoch)));
            }
            ReplicaRole::Leader => {
                actions.extend([Action::Outdo(me), Action::StandStill(me)]);
                let words = state.words.iter();
                actions.extend(words.map(|told| Action::Yield(me, told.epoch)));
                self.writes_of(state, me, actions);
            }
            ReplicaRole::Candidate | ReplicaRole::Idle => {}
        }
        actions.push(Action::Persist(me));
        if self.mutant == Some(Mutant::CutBeforeForkIsDurable) {
            actions.push(Action::KeepForks(me));
        }
        if state.spent.crashes < self.bounds.crashes {
            actions.push(Action::Crash(me));
        }
    }

    fn writes_of(&self, state: &State, me: u8, actions: &mut Vec<Action>) {
        let (bounds, spent) = (self.bounds, state.spent);
        if spent.numbered < bounds.numbered {
            actions.push(Action::Publish(me));
        }
        if spent.plain < bounds.plain {
            actions.push(Action::PublishPlain(me));
        }
        if spent.retries < bounds.retries {
            actions.extend((1..=spent.numbered).map(|id| Action::Retry(me, id)));
        }
        let forks = || state.forks.different();
        actions.extend(forks().map(|fork| Action::Republish(me, *fork)));
        if spent.discards < bounds.discards {
            actions.extend(forks().map(|fork| Action::GiveUp(me, *fork)));
        }
    }
}

impl Model for Available {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            nodes: [Node::new(&self.coverage); MOST_NODES],
            words: Words::default(),
            forks: Forks::default(),
            observed: Observed::default(),
            spent: Spent::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for me in 0..self.bounds.nodes {
            self.actions_of(state, me, actions);
        }
        actions.extend(state.forks.durable().map(|fork| Action::Drop(*fork)));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let rules = self.rules();
        match action {
            Action::Lead(me) => rules.lead(state, me),
            Action::Outdo(me) => rules.outdo(state, me),
            Action::Publish(me) => rules.publish(state, me, state.spent.numbered + 1),
            Action::PublishPlain(me) => {
                let id = self.bounds.numbered + state.spent.plain + 1;
                rules.publish(state, me, id)
            }
            Action::Retry(me, id) => rules.retry(state, me, id),
            Action::Persist(me) => rules.persist(state, me),
            Action::KeepForks(me) => rules.keep_forks(state, me),
            Action::Crash(me) => rules.crash(state, me),
            Action::StandStill(me) => rules.stand_still(state, me),
            Action::GoOn(me) => rules.go_on(state, me),
            Action::Compare(me, epoch) => rules.compare(state, me, epoch),
            Action::Yield(me, epoch) => rules.yield_to(state, me, epoch),
            Action::Hear(me, epoch) => rules.hear(state, me, epoch),
            Action::Republish(me, fork) => rules.republish(state, me, &fork),
            Action::GiveUp(me, fork) => rules.give_up(state, me, &fork),
            Action::Drop(fork) => rules.drop_fork(state, &fork),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Channel for Available {
    const KINDS: usize = 14;

    fn kind(action: &Action) -> (usize, u8) {
        match *action {
            Action::Lead(me) => (0, me),
            Action::Outdo(me) => (1, me),
            Action::Publish(me) => (2, me),
            Action::PublishPlain(me) => (3, me),
            Action::Retry(me, _) => (4, me),
            Action::Persist(me) | Action::KeepForks(me) => (5, me),
            Action::Crash(me) => (6, me),
            Action::StandStill(me) => (7, me),
            Action::GoOn(me) => (8, me),
            Action::Compare(me, _) | Action::Yield(me, _) => (9, me),
            Action::Hear(me, _) => (10, me),
            Action::Republish(me, _) => (11, me),
            Action::GiveUp(me, _) => (12, me),
            Action::Drop(fork) => (13, fork.holder),
        }
    }

    fn always() -> Vec<Property<Self>> {
        properties::always()
    }
}
