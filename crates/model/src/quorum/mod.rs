//! The model of one channel of class `quorum`: which things may happen in a state, and what
//! follows from each.
//!
//! The decisions are the shipped ones, out of [`tetrarch_replica::decide`].

mod bounds;
mod disk;
mod election;
mod following;
mod leading;
mod log;
mod message;
mod mutant;
mod node;
mod plan;
mod properties;
mod search_point;
mod state;
mod step;

use std::sync::Arc;

use stateright::{Model, Property};
use tetrarch_wire::ReplicaRole;

pub use self::{
    bounds::Bounds,
    log::{Entry, Log},
    message::{Message, Messages},
    mutant::Mutant,
    node::{Node, Promise},
    properties::needs_parks,
    state::{Acked, Action, Spent, State},
};
use self::{state::MOST_VOTERS, step::Step};
use crate::{Channel, Coverage};

/// A channel within bounds, with at most one mistake.
#[derive(Clone, Debug)]
pub struct Quorum {
    bounds: Bounds,
    mutant: Option<Mutant>,
    initial: Node,
    coverage: Arc<Coverage>,
}

impl Quorum {
    /// The protocol as it is meant to be.
    ///
    /// # Panics
    /// If a log within these bounds would be longer than a [`Log`] can tell.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let longest = usize::from(bounds.epochs) + usize::from(bounds.entries);
        assert!(
            longest <= Log::MOST,
            "epochs and entries are at most 8 together"
        );
        assert!((2..=3).contains(&bounds.voters), "2 or 3 nodes vote");
        let most = bounds.epochs.max(bounds.entries);
        assert!(
            most <= Entry::MOST,
            "at most 7 epochs, and at most 7 entries"
        );
        let coverage = Arc::default();
        Self {
            bounds,
            mutant: None,
            initial: Node::new(&coverage),
            coverage,
        }
    }

    /// With a mistake.
    #[must_use]
    pub fn with(self, mutant: Mutant) -> Self {
        Self {
            mutant: Some(mutant),
            ..self
        }
    }

    /// How far it goes.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The mistake, if there is one.
    #[must_use]
    pub const fn mutant(&self) -> Option<Mutant> {
        self.mutant
    }

    /// What runs of this model have been through.
    #[must_use]
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    fn actions_of(&self, state: &State, me: u8, actions: &mut Vec<Action>) {
        let node = &state.nodes[usize::from(me)];
        match node.role {
            ReplicaRole::Replica => actions.extend([Action::Stand(me), Action::Find(me)]),
            ReplicaRole::Candidate => actions.extend([Action::Stand(me), Action::Win(me)]),
            ReplicaRole::Leader => {
                actions.extend([Action::Stand(me), Action::Commit(me)]);
                if state.spent.entries < self.bounds.entries {
                    actions.push(Action::Publish(me));
                }
            }
            ReplicaRole::Idle => actions.push(Action::Resume(me)),
        }
        if node.has_unsynced() {
            actions.push(Action::Persist(me));
        }
        if state.spent.crashes < self.bounds.crashes {
            actions.push(Action::Crash(me));
            if self.mutant == Some(Mutant::WipedDiskKeepsIdentity) {
                actions.push(Action::Wipe(me));
            }
        }
        if state.spent.rots < self.bounds.rots {
            let left = 0..=node.kept_log.len();
            actions.extend(left.map(|left| Action::Rot(me, left)));
        }
        if state.spent.parks < self.bounds.parks && node.role != ReplicaRole::Idle {
            actions.push(Action::Park(me));
        }
        // Until its vote for itself is durable, nobody can tell that a candidate stands: whatever
        // it hears until then it may as well have heard before.
        if node.role == ReplicaRole::Candidate && !node.may_speak() {
            return;
        }
        let heard = state.messages.iter().filter(|message| concerns(message));
        actions.extend(heard.map(|message| Action::Hear(me, *message)));
    }

    fn step<'a>(
        &'a self,
        state: &'a State,
        me: u8,
        act: impl FnOnce(&mut Step<'a>),
    ) -> Option<State> {
        let mut step = Step::new(self, state, me);
        act(&mut step);
        step.finish()
    }

    fn hear(&self, state: &State, me: u8, message: Message) -> Option<State> {
        self.step(state, me, |step| match message {
            Message::VoteRequest { n, candidate, log } => step.hear_candidate(n, candidate, log),
            Message::Append { n, leader, log } => step.hear_append(n, leader, log),
            Message::Committed { n, leader, seq } => step.hear_committed(n, leader, seq),
            Message::Vote { .. } | Message::Ack { .. } => {}
        })
    }
}

/// Whether hearing a message is a step of its own. Votes and acknowledgements are looked up when a
/// candidate or a leader counts them.
const fn concerns(message: &Message) -> bool {
    match message {
        Message::VoteRequest { .. } | Message::Append { .. } | Message::Committed { .. } => true,
        Message::Vote { .. } | Message::Ack { .. } => false,
    }
}

/// The state after, with something used up of the bounds.
fn spend(state: Option<State>, on: impl FnOnce(&mut Spent)) -> Option<State> {
    state.map(|mut state| {
        on(&mut state.spent);
        state
    })
}

impl Model for Quorum {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            nodes: [self.initial; MOST_VOTERS],
            messages: Messages::default(),
            acked: Acked::default(),
            spent: Spent::default(),
        }]
    }

    /// Voters to which nothing has happened yet are interchangeable: only the first of them acts.
    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let fresh = |me: &u8| state.nodes[usize::from(*me)] == self.initial;
        let mut first = true;
        for me in 0..self.bounds.voters {
            if !fresh(&me) || std::mem::take(&mut first) {
                self.actions_of(state, me, actions);
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        match action {
            Action::Stand(me) => self.step(state, me, Step::stand),
            Action::Win(me) => self.step(state, me, Step::win),
            Action::Publish(me) => {
                let event = state.spent.entries + 1;
                let after = self.step(state, me, |step| step.publish(event));
                spend(after, |spent| spent.entries = event)
            }
            Action::Commit(me) => self.step(state, me, Step::commit),
            Action::Find(me) => self.step(state, me, Step::find),
            Action::Persist(me) => self.step(state, me, Step::persist),
            Action::Crash(me) => {
                let after = self.step(state, me, Step::crash);
                spend(after, |spent| spent.crashes += 1)
            }
            Action::Wipe(me) => {
                let after = self.step(state, me, Step::wipe);
                spend(after, |spent| spent.crashes += 1)
            }
            Action::Rot(me, left) => {
                let after = self.step(state, me, |step| step.rot(left));
                spend(after, |spent| spent.rots += 1)
            }
            Action::Park(me) => {
                let after = self.step(state, me, Step::park);
                spend(after, |spent| spent.parks += 1)
            }
            Action::Resume(me) => self.step(state, me, Step::resume),
            Action::Hear(me, message) => self.hear(state, me, message),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Channel for Quorum {
    const KINDS: usize = 14;

    fn kind(action: &Action) -> (usize, u8) {
        match *action {
            Action::Stand(me) => (0, me),
            Action::Win(me) => (1, me),
            Action::Publish(me) => (2, me),
            Action::Commit(me) => (3, me),
            Action::Find(me) => (4, me),
            Action::Persist(me) => (5, me),
            Action::Crash(me) | Action::Wipe(me) => (6, me),
            Action::Park(me) => (7, me),
            Action::Rot(me, _) => (13, me),
            Action::Resume(me) => (8, me),
            Action::Hear(me, message) => match message {
                Message::VoteRequest { .. } => (9, me),
                Message::Append { .. } => (10, me),
                Message::Committed { .. } => (11, me),
                Message::Vote { .. } | Message::Ack { .. } => (12, me),
            },
        }
    }

    fn always() -> Vec<Property<Self>> {
        properties::always()
    }
}
