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
            Self::LongerTailWins
            | Self::CommitOldEpochByCount
            | Self::RotAsTorn
            | Self::LimboVotes
            | Self::LeavesLimboAtCommit
            | Self::LimboRemembersEpoch => None,
        }
    }

    const fn wide(self) -> Bounds {
        match self {
            // More elections than the mistake takes, or few walks have those that it takes.
            Self::CommitOldEpochByCount => Bounds::new(6, 0),
            Self::RotAsTorn
            | Self::LimboVotes
            | Self::LeavesLimboAtCommit
            | Self::LimboRemembersEpoch => Bounds::new(4, 1).rots(1),
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
