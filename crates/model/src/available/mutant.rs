//! Plausible mistakes, one of which may be made in a run. Four of them follow the design to the
//! letter: the model showed that it was wrong there.

use std::fmt;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// A leader that lost goes on from the end of its own log.
    ResumeFromOwnTail,
    /// A leader that lost throws away what the winner does not have.
    SkipTo,
    /// A log is cut when its fork is written, not when it is durable.
    CutBeforeForkIsDurable,
    /// An epoch is a number only.
    EpochWithoutLeader,
    /// Where two logs part is found by the numbers of their epochs.
    PartByNumber,
    /// The winner looks only at what it wrote in its own epoch before it republishes.
    RepublishWithoutDedup,
    /// A fork is dropped when its events are republished, not when that is durable.
    DropBeforeDurable,
    /// A leader writes before its epoch is durable.
    EpochLostOnCrash,
    /// A fork that was sealed before the log grew is enough to cut.
    CutMoreThanSealed,
    /// A repeated event is acknowledged although the first copy is not durable.
    DuplicateAckedAtOnce,
    /// Events are acknowledged when they are written, not when that is durable.
    AckBeforeSync,
    /// A republished event does not carry where it was written first.
    OriginNotCarried,
    /// What an operator gave up is not republished.
    LossNotCarriedOver,
    /// As designed: a leader keeps its epoch whatever replicas have seen.
    LateEpochNotOutdone,
    /// As designed: an origin is the number of an epoch and a seq.
    OriginWithoutLeader,
    /// As designed: a fork is named by where it begins, and the longest stands for all.
    ForkNamedByItsBeginning,
    /// As designed, with one copy: a fork is dropped when it is settled at the leader.
    DropOnLeadersWord,
}

impl Mutant {
    /// Every mistake.
    pub const ALL: [Self; 17] = [
        Self::ResumeFromOwnTail,
        Self::SkipTo,
        Self::CutBeforeForkIsDurable,
        Self::EpochWithoutLeader,
        Self::PartByNumber,
        Self::RepublishWithoutDedup,
        Self::DropBeforeDurable,
        Self::EpochLostOnCrash,
        Self::CutMoreThanSealed,
        Self::DuplicateAckedAtOnce,
        Self::AckBeforeSync,
        Self::OriginNotCarried,
        Self::LossNotCarriedOver,
        Self::LateEpochNotOutdone,
        Self::OriginWithoutLeader,
        Self::ForkNamedByItsBeginning,
        Self::DropOnLeadersWord,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResumeFromOwnTail => "loser resumes from its own tail",
            Self::SkipTo => "loser drops its suffix",
            Self::CutBeforeForkIsDurable => "cut before the fork is durable",
            Self::EpochWithoutLeader => "epoch without its leader",
            Self::PartByNumber => "divergence by epoch number only",
            Self::RepublishWithoutDedup => "republish without dedup",
            Self::DropBeforeDurable => "resolve before the republish is durable",
            Self::EpochLostOnCrash => "epoch lost on crash",
            Self::CutMoreThanSealed => "cut more than was sealed",
            Self::DuplicateAckedAtOnce => "duplicate acknowledged at once",
            Self::AckBeforeSync => "acknowledge before the sync",
            Self::OriginNotCarried => "republish without the origin",
            Self::LossNotCarriedOver => "declared loss stays in the fork",
            Self::LateEpochNotOutdone => "leader does not outdo a later epoch (design)",
            Self::OriginWithoutLeader => "origin without the leader (design)",
            Self::ForkNamedByItsBeginning => "fork named by its beginning (design)",
            Self::DropOnLeadersWord => "fork dropped on the leader's word (design)",
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
