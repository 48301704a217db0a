//! How each mistake is to be caught.

use super::{Available, Bounds, Meeting, Mutant};
use crate::{Kill, Plan};

const MOST_STATES: usize = 5_000_000;
const MOST_WALKS: u64 = 100_000;

impl Mutant {
    /// Tries to notice it, in every way that is meant to.
    #[must_use]
    pub fn attempt(self) -> Kill {
        Kill::attempt(self.name(), self.plan())
    }

    fn plan(self) -> Plan<Available> {
        let with = |bounds| Available::new(bounds).with(self);
        let wide = Bounds::new(3, 4, 2, 2).crashes(2).retries(2);
        let small = with(self.smallest());
        Plan {
            exhaust: Some((small, MOST_STATES)),
            walk: (with(wide.discards(1).expiries(1)), MOST_WALKS),
        }
    }

    const fn smallest(self) -> Bounds {
        match self {
            Self::ForkNamedByItsBeginning => Bounds::new(3, 2, 2, 0).meeting(Meeting::LaterEpoch),
            Self::DropOnLeadersWord => Bounds::new(3, 1, 1, 0).crashes(1),
            Self::OriginWithoutLeader => Bounds::new(2, 2, 0, 2),
            Self::ResumeFromOwnTail
            | Self::SkipTo
            | Self::CutBeforeForkIsDurable
            | Self::EpochWithoutLeader
            | Self::PartByNumber
            | Self::RepublishWithoutDedup
            | Self::DropBeforeDurable
            | Self::EpochLostOnCrash
            | Self::CutMoreThanSealed
            | Self::DuplicateAckedAtOnce
            | Self::AckBeforeSync
            | Self::OriginNotCarried
            | Self::LossNotCarriedOver
            | Self::LateEpochNotOutdone => {
                Bounds::new(2, 2, 1, 1).crashes(1).retries(1).discards(1)
            }
        }
    }
}
