//! How each mistake is to be caught: by visiting every state, by walking, or by both, and within
//! how much work.

use crate::{Bounds, Exhausted, Mutant, Quorum, Walked, exhaust, walks};

/// How many steps a walk takes at most.
pub(crate) const DEPTH: usize = 120;

/// The work that may be spent on a mutant.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where to visit every state, and how many to make at most. None where it is known not to
    /// reach deep enough.
    pub exhaust: Option<(Bounds, usize)>,
    /// Where to walk, and how often at most.
    pub walk: (Bounds, u64),
}

impl Plan {
    /// What is spent on this mutant.
    #[must_use]
    pub const fn of(mutant: Mutant) -> Self {
        let (small, most) = (Bounds::new(2, 1), MOST_STATES);
        let exhaust = match mutant {
            Mutant::VoteLostOnCrash | Mutant::CountBeforeFsync | Mutant::WipedDiskKeepsIdentity => {
                Some((small.crashes(1), most))
            }
            Mutant::GrantWithoutLogCheck
            | Mutant::TruncateToHighWatermark
            | Mutant::CompareSeqAlone
            | Mutant::AppendWithoutComparing => Some((small, most)),
            Mutant::LongerTailWins | Mutant::CommitOldEpochByCount => None,
        };
        let bounds = match mutant {
            Mutant::CommitOldEpochByCount => Bounds::new(4, 0),
            Mutant::VoteLostOnCrash
            | Mutant::GrantWithoutLogCheck
            | Mutant::CountBeforeFsync
            | Mutant::LongerTailWins
            | Mutant::TruncateToHighWatermark
            | Mutant::WipedDiskKeepsIdentity
            | Mutant::CompareSeqAlone
            | Mutant::AppendWithoutComparing => Bounds::new(4, 3).crashes(1),
        };
        Self {
            exhaust,
            walk: (bounds, MOST_WALKS),
        }
    }
}

const MOST_STATES: usize = 10_000_000;
const MOST_WALKS: u64 = 200_000;

/// What became of a mutant.
#[derive(Clone, Debug)]
pub struct Kill {
    /// Which one.
    pub mutant: Mutant,
    /// What visiting every state has shown, if it was tried.
    pub exhausted: Option<Exhausted>,
    /// What walking has shown.
    pub walked: Walked,
}

impl Kill {
    /// Tries both ways.
    #[must_use]
    pub fn attempt(mutant: Mutant) -> Self {
        let plan = Plan::of(mutant);
        let exhausted = plan
            .exhaust
            .map(|(bounds, most)| exhaust(Quorum::new(bounds).with(mutant), Some(most)));
        let (bounds, seeds) = plan.walk;
        Self {
            mutant,
            exhausted,
            walked: walks(&Quorum::new(bounds).with(mutant), 0..seeds, DEPTH),
        }
    }

    /// Whether every way that was tried has found it.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        let exhausted = self.exhausted.as_ref();
        self.walked.violation.is_some() && exhausted.is_none_or(|found| found.violation.is_some())
    }
}
