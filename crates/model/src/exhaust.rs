//! Every state within the bounds, breadth first, so that what is found is found by a shortest way.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use stateright::{Checker, Expectation, HasDiscoveries};

use crate::Channel;

/// A property that does not hold, and how it comes to that.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which one.
    pub property: &'static str,
    /// The way there from the first state.
    pub steps: Vec<String>,
}

/// What a search has shown.
#[derive(Clone, Debug)]
pub struct Exhausted {
    /// Different states that were found.
    pub unique: usize,
    /// States that were made, the same ones again included.
    pub made: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether every state within the bounds was visited.
    pub complete: bool,
    /// The property that failed first, if one did.
    pub violation: Option<Violation>,
    /// What should have happened somewhere and did not.
    pub missing: Vec<&'static str>,
}

/// Visits every state, on one thread. Stops at the first violation, and once `most` states were
/// made, if that is given.
#[must_use]
pub fn exhaust<M: Channel>(model: M, most: Option<usize>) -> Exhausted {
    let begun = Instant::now();
    let properties = model.properties();
    let mut builder = model.checker().finish_when(HasDiscoveries::AnyFailures);
    if let Some(most) = most {
        builder = builder.target_state_count(most);
    }
    let checker = builder.spawn_bfs().join();
    let elapsed = begun.elapsed();
    let mut found = checker.discoveries();
    let (mut violation, mut missing) = (None, Vec::new());
    for property in &properties {
        let path = found.remove(property.name);
        match (&property.expectation, path) {
            (Expectation::Sometimes, None) => missing.push(property.name),
            (Expectation::Always | Expectation::Eventually, Some(path)) if violation.is_none() => {
                violation = Some(Violation {
                    property: property.name,
                    steps: told(&path.into_actions()),
                });
            }
            (Expectation::Sometimes, Some(_))
            | (Expectation::Always | Expectation::Eventually, Some(_) | None) => {}
        }
    }
    let made = checker.state_count();
    Exhausted {
        unique: checker.unique_state_count(),
        made,
        depth: checker.max_depth(),
        elapsed,
        complete: violation.is_none() && most.is_none_or(|most| made < most),
        violation,
        missing,
    }
}

/// Steps as they are shown.
pub(crate) fn told(steps: &[impl Debug]) -> Vec<String> {
    steps.iter().map(|step| format!("{step:?}")).collect()
}
