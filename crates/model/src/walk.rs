//! Random walks, for what lies too deep to be reached state by state. Each walk has a seed, which
//! alone decides it, and out of that its own tastes: how much it likes each kind of step and each
//! node. So some walks crash all the time, some never hear of a commit, and some starve a node.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use stateright::Property;

use crate::{Channel, Violation, exhaust::told};

/// What walks have shown.
#[derive(Clone, Debug)]
pub struct Walked {
    /// How many were begun.
    pub walks: u64,
    /// Steps of all of them.
    pub steps: u64,
    /// How long they took.
    pub elapsed: Duration,
    /// The seed of the walk that found something, and what.
    pub violation: Option<(u64, Violation)>,
}

/// Walks once for each seed, at most `depth` steps, until something is found.
#[must_use]
pub fn walks<M: Channel>(model: &M, seeds: Range<u64>, depth: usize) -> Walked {
    let (begun, properties) = (Instant::now(), M::always());
    let mut walked = Walked {
        walks: 0,
        steps: 0,
        elapsed: Duration::ZERO,
        violation: None,
    };
    for seed in seeds {
        let mut walk = Walk::new(model, seed);
        let property = walk.run(&properties, depth);
        walked.walks += 1;
        walked.steps += walk.steps.len() as u64;
        if let Some(property) = property {
            let steps = told(&walk.steps);
            walked.violation = Some((seed, Violation { property, steps }));
            break;
        }
    }
    walked.elapsed = begun.elapsed();
    walked
}

/// One walk.
struct Walk<'a, M: Channel> {
    model: &'a M,
    random: Random,
    tastes: Vec<u64>,
    nodes: [u64; 3],
    state: Option<M::State>,
    steps: Vec<M::Action>,
}

impl<'a, M: Channel> Walk<'a, M> {
    fn new(model: &'a M, seed: u64) -> Self {
        let mut random = Random(seed);
        Self {
            model,
            tastes: (0..M::KINDS).map(|_| 1 << random.below(7)).collect(),
            nodes: std::array::from_fn(|_| 1 << random.below(4)),
            random,
            state: model.init_states().pop(),
            steps: Vec::new(),
        }
    }

    /// Says which property failed.
    fn run(&mut self, properties: &[Property<M>], depth: usize) -> Option<&'static str> {
        while self.steps.len() < depth {
            let state = self.state.take()?;
            let (action, after) = self.choose(&state)?;
            self.steps.push(action);
            let mut failed = properties.iter().filter(|property| {
                let holds = property.condition;
                !holds(self.model, &after)
            });
            if let Some(property) = failed.next() {
                return Some(property.name);
            }
            self.state = Some(after);
        }
        None
    }

    /// A step that changes something, by taste.
    fn choose(&mut self, state: &M::State) -> Option<(M::Action, M::State)> {
        let mut actions = Vec::new();
        self.model.actions(state, &mut actions);
        let mut weighted: Vec<(M::Action, u64)> = actions
            .into_iter()
            .map(|action| (action, self.taste_for(&action)))
            .collect();
        while !weighted.is_empty() {
            let all = weighted.iter().map(|(_, weight)| weight).sum();
            let mut ticket = self.random.below(all);
            let index = weighted.iter().position(|(_, weight)| {
                let drawn = ticket < *weight;
                ticket = ticket.saturating_sub(*weight);
                drawn
            })?;
            let (action, _) = weighted.swap_remove(index);
            if let Some(after) = self.model.next_state(state, action) {
                return Some((action, after));
            }
        }
        None
    }

    fn taste_for(&self, action: &M::Action) -> u64 {
        let (kind, me) = M::kind(action);
        self.tastes[kind] * self.nodes[usize::from(me)]
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}
