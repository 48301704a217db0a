//! What a fair healing makes of a state: nobody crashes, nobody publishes, everybody hears
//! everybody, and each node does what it can. It must end with one leader, equal logs and no
//! forks, with every acknowledged event in the log once (I16).
//!
//! A healing takes the model's own steps in a fixed order, so it depends on the state alone; and
//! once it is known that a state heals, so does every state whose healing comes through it.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::{Mutex, PoisonError},
};

use super::{Bounds, Entry, Mutant, Node, Pair, State, step::Rules};
use crate::{Coverage, mixing::Mixing};

/// More steps than any healing takes.
const MOST_STEPS: usize = 500;

/// Heals states, and remembers which did.
#[derive(Debug, Default)]
pub(crate) struct Healer {
    healed: Mutex<HashSet<u64>>,
    coverage: Coverage,
}

impl Healer {
    /// Whether a fair healing of this state ends well.
    pub(super) fn heals(&self, state: &State, bounds: Bounds, mutant: Option<Mutant>) -> bool {
        let rules = Rules {
            bounds,
            mutant,
            coverage: &self.coverage,
            epochs: Pair::MOST,
        };
        let mut healed = self.healed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut way = vec![fingerprint(state)];
        let mut state = state.clone();
        while !healed.contains(&way[way.len() - 1]) {
            match rules.fair_step(&state) {
                Some(after) if way.len() < MOST_STEPS => state = after,
                Some(_) => return false,
                None if rules.is_healed(&state) => break,
                None => return false,
            }
            way.push(fingerprint(&state));
        }
        healed.extend(way);
        true
    }
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = Mixing::new();
    state.hash(&mut hasher);
    hasher.finish()
}

impl Rules<'_> {
    /// The next step of a healing.
    fn fair_step(&self, state: &State) -> Option<State> {
        let nodes = || 0..self.bounds.nodes;
        let durable = |me| {
            self.persist(state, me)
                .or_else(|| self.keep_forks(state, me))
        };
        if let Some(after) = nodes().find_map(durable) {
            return Some(after);
        }
        let leaders: Vec<u8> = state.leaders().collect();
        match leaders[..] {
            [] => self.lead(state, self.first_in_rank(state)),
            [leader] => self.follow_fairly(state, leader),
            [one, other, ..] => self.confront(state, one, other),
        }
    }

    /// Nobody leads: who stands first wins, since everybody answers.
    fn first_in_rank(&self, state: &State) -> u8 {
        let nodes = 0..self.bounds.nodes;
        nodes.max_by_key(|me| state.rank(*me)).unwrap_or(0)
    }

    /// A replica that may not follow the leader hears none, and stands. It does not win if the
    /// leader answers that it comes first itself.
    fn stand_against(&self, state: &State, leader: u8, epoch: Pair) -> Option<State> {
        let mut nodes = state.nodes(self.bounds);
        let stands = |me: u8| state.rank(me) > state.rank(leader);
        let (me, _) = nodes.find(|(me, node)| node.seen > epoch && stands(*me))?;
        self.lead(state, me)
    }

    /// Of two leaders one hears that it lost. That the other has won it may hear later.
    fn confront(&self, state: &State, one: u8, other: u8) -> Option<State> {
        let node = |me: u8| &state.nodes[usize::from(me)];
        let (loser, winner) = if node(one).log.len() < node(other).log.len() {
            (one, other)
        } else {
            (other, one)
        };
        self.stand_still(state, one)
            .or_else(|| self.stand_still(state, other))
            .or_else(|| self.compare(state, loser, node(winner).seen))
            .or_else(|| self.yield_to(state, one, node(other).seen))
            .or_else(|| self.yield_to(state, other, node(one).seen))
    }

    fn follow_fairly(&self, state: &State, leader: u8) -> Option<State> {
        let epoch = state.nodes[usize::from(leader)].seen;
        let forks = || state.forks.iter();
        self.go_on(state, leader)
            .or_else(|| self.outdo(state, leader))
            .or_else(|| self.stand_against(state, leader, epoch))
            .or_else(|| (0..self.bounds.nodes).find_map(|me| self.hear(state, me, epoch)))
            .or_else(|| forks().find_map(|fork| self.republish(state, leader, fork)))
            .or_else(|| forks().find_map(|fork| self.drop_fork(state, fork)))
    }

    /// One leader, one log on all stores, no forks, and nothing lost or doubled in it.
    fn is_healed(&self, state: &State) -> bool {
        let leader = &state.nodes[usize::from(state.leaders().next().unwrap_or(0))];
        let same = |node: &Node| node.log == leader.log && node.is_all_durable();
        let once = (1..=Entry::MOST).all(|id| {
            let of_it = || leader.log.entries().filter(|entry| entry.id() == Some(id));
            let copies = of_it().filter(|entry| !entry.is_declaration()).count();
            let acked = state.observed.acked[0] & 1 << id != 0;
            copies <= 1 && (!acked || of_it().count() > 0)
        });
        state.leaders().count() == 1
            && state.nodes(self.bounds).all(|(_, node)| same(node))
            && state.forks.is_empty()
            && once
    }
}
