//! How a mistake is to be caught: by visiting every state, by walking, or by both, and within how
//! much work.

use crate::{Channel, Exhausted, Walked, exhaust, walks};

/// How many steps a walk takes at most.
pub(crate) const DEPTH: usize = 120;

/// The work that may be spent on a mutant.
#[derive(Clone, Debug)]
pub struct Plan<M> {
    /// Where to visit every state, and how many to make at most. None where it is known not to
    /// reach deep enough.
    pub exhaust: Option<(M, usize)>,
    /// Where to walk, and how often at most.
    pub walk: (M, u64),
}

/// What became of a mutant.
#[derive(Clone, Debug)]
pub struct Kill {
    /// Which one.
    pub mutant: &'static str,
    /// What visiting every state has shown, if it was tried.
    pub exhausted: Option<Exhausted>,
    /// What walking has shown.
    pub walked: Walked,
}

impl Kill {
    /// Tries both ways.
    pub(crate) fn attempt<M: Channel>(mutant: &'static str, plan: Plan<M>) -> Self {
        let exhausted = plan.exhaust.map(|(model, most)| exhaust(model, Some(most)));
        let (model, seeds) = plan.walk;
        Self {
            mutant,
            exhausted,
            walked: walks(&model, 0..seeds, DEPTH),
        }
    }

    /// Whether every way that was tried has found it.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        let exhausted = self.exhausted.as_ref();
        self.walked.violation.is_some() && exhausted.is_none_or(|found| found.violation.is_some())
    }
}
