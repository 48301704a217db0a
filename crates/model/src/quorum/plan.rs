//! How each mistake is to be caught.

use super::{Bounds, Mutant, Quorum};
use crate::{Kill, Plan};

const MOST_STATES: usize = 10_000_000;
const MOST_WALKS: u64 = 200_000;

impl Mutant {
    /// Tries to notice it, in every way that is meant to.
    #[must_use]
    pub fn attempt(self) -> Kill {
        Kill::attempt(self.name(), self.plan())
    }

    fn plan(self) -> Plan<Quorum> {
        let with = |bounds| Quorum::new(bounds).with(self);
        let exhaust = self.smallest().map(|bounds| (with(bounds), MOST_STATES));
        Plan {
            exhaust,
            walk: (with(self.wide()), MOST_WALKS),
        }
    }

    fn smallest(self) -> Option<Bounds> {
        let small = Bounds::new(2, 1);
        match self {
            Self::VoteLostOnCrash | Self::CountBeforeFsync | Self::WipedDiskKeepsIdentity => {
                Some(small.crashes(1))
            }
            Self::GrantWithoutLogCheck
            | Self::TruncateToHighWatermark
            | Self::CompareSeqAlone
            | Self::AppendWithoutComparing => Some(small),
            Self::LongerTailWins | Self::CommitOldEpochByCount => None,
        }
    }

    const fn wide(self) -> Bounds {
        match self {
            Self::CommitOldEpochByCount => Bounds::new(4, 0),
            Self::VoteLostOnCrash
            | Self::GrantWithoutLogCheck
            | Self::CountBeforeFsync
            | Self::LongerTailWins
            | Self::TruncateToHighWatermark
            | Self::WipedDiskKeepsIdentity
            | Self::CompareSeqAlone
            | Self::AppendWithoutComparing => Bounds::new(4, 3).crashes(1),
        }
    }
}
