//! Plausible mistakes, one of which may be made in a run. The shipped decisions stay as they are:
//! a mutant feeds them, or follows them, wrongly.

use std::fmt;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// The vote was in the page cache only.
    VoteLostOnCrash,
    /// A voter does not look at the candidate's log.
    GrantWithoutLogCheck,
    /// Replicas acknowledge, and the leader counts itself, before the sync.
    CountBeforeFsync,
    /// The length of a log alone decides a vote.
    LongerTailWins,
    /// A batch of an older epoch is committed by counting its copies (Raft, figure 8).
    CommitOldEpochByCount,
    /// A replica cuts its log to its own high watermark when it follows another leader (KIP-101).
    TruncateToHighWatermark,
    /// A voter whose disk was wiped comes back under its old name, and votes.
    WipedDiskKeepsIdentity,
    /// A replica acknowledges all that it holds, and the leader looks at the seq alone.
    CompareSeqAlone,
    /// A replica appends wherever its log is long enough.
    AppendWithoutComparing,
    /// What the write-ahead log has lost counts as never written.
    RotAsTorn,
    /// A voter that may have forgotten what it acknowledged votes.
    LimboVotes,
    /// Limbo ends as soon as the log holds what the leader said is committed.
    LeavesLimboAtCommit,
    /// A voter in limbo takes the epoch in which what is left of its log ends for the highest that it saw.
    LimboRemembersEpoch,
}

impl Mutant {
    /// Every mistake.
    pub const ALL: [Self; 13] = [
        Self::VoteLostOnCrash,
        Self::GrantWithoutLogCheck,
        Self::CountBeforeFsync,
        Self::LongerTailWins,
        Self::CommitOldEpochByCount,
        Self::TruncateToHighWatermark,
        Self::WipedDiskKeepsIdentity,
        Self::CompareSeqAlone,
        Self::AppendWithoutComparing,
        Self::RotAsTorn,
        Self::LimboVotes,
        Self::LeavesLimboAtCommit,
        Self::LimboRemembersEpoch,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VoteLostOnCrash => "vote lost on crash",
            Self::GrantWithoutLogCheck => "grant without log check",
            Self::CountBeforeFsync => "ack and count before fsync",
            Self::LongerTailWins => "longer tail wins",
            Self::CommitOldEpochByCount => "commit an old epoch by count",
            Self::TruncateToHighWatermark => "truncate to the high watermark",
            Self::WipedDiskKeepsIdentity => "wiped disk keeps identity and votes",
            Self::CompareSeqAlone => "acknowledge by seq alone",
            Self::AppendWithoutComparing => "append without comparing",
            Self::RotAsTorn => "rot taken for a torn end",
            Self::LimboVotes => "vote in limbo",
            Self::LeavesLimboAtCommit => "leave limbo at the commit position",
            Self::LimboRemembersEpoch => "limbo with the epoch that is remembered",
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
