//! The mistakes.

macro_rules! mutants {
    ($($(#[doc = $mistake:literal])+ $name:ident,)+) => {
        /// A mistake that could be made.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $($(#[doc = $mistake])+ $name,)+
        }

        impl Mutant {
            /// Every mistake.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name, as it is written here.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What is done wrong.
            #[must_use]
            pub fn mistake(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($mistake,)+).trim_start(),)+
                }
            }
        }
    };
}

mutants! {
    // Elections.
    /// A voter does not look at the candidate's log.
    VoteWithoutLogCheck,
    /// The length of a log alone decides a vote.
    LongerLogWins,
    /// A voter gives its vote twice in an epoch.
    VoteTwice,
    /// A vote is not read back at a start.
    VoteForgottenAtStart,
    /// The answer to an earlier round counts in this one.
    StaleVoteCounts,
    /// Whoever would be voted for leads.
    PreVoteIsEnough,
    /// One vote less than a majority wins.
    WinWithoutMajority,
    /// A leader of a lower epoch is followed.
    FollowLowerEpoch,

    // Replication.
    /// A batch of an older epoch is committed by counting its copies (Raft, figure 8).
    CountOldEpochs,
    /// A leader counts its own copy before its sync.
    CountBeforeSync,
    /// One copy less than a majority commits.
    CommitWithoutMajority,
    /// A replica acknowledges what is not synced.
    AcknowledgeBeforeSync,
    /// A replica appends wherever its log is long enough.
    AppendWithoutComparing,
    /// A replica that follows another leader cuts its log to its commit position (KIP-101).
    CutToCommit,
    /// Two logs part where the shorter one ends, and no link is compared before one is cut.
    CutWithoutComparing,
    /// A write that was under way when the log was cut counts for what came in its place.
    DurableAcrossCut,
    /// A leader that nobody hears goes on.
    NeverLoseQuorum,
    /// A role is left with the signal of another reason.
    WrongSignal,
    /// The window is not given back when appends are acknowledged.
    WindowNotGivenBack,

    // Promises and answers.
    /// Something is said in an epoch before that is durable.
    SpeakBeforePromise,
    /// A linearizable read is answered without asking anybody.
    ReadIndexUnconfirmed,
    /// A linearizable read may end before what earlier leaders have committed.
    ReadIndexOfOldEpoch,
    /// A deposed leader tells a producer what only one in force can know.
    OutOfOrderUnconfirmed,
    /// Consumers get what is not committed.
    ServeUncommitted,
    /// Consumers get what the disk holds where something else is committed.
    ReadBeyondDurable,

    // Producers.
    /// A repeated request is appended again.
    RetryAppendedAgain,
    /// A repeated request is answered before the first one is committed.
    KnownBeforeCommitted,
    /// What a batch told of its producer stays when it is cut off.
    ProducersNotRolledBack,
    /// The snapshot of the producers is not read at a start.
    ProducersNotRestored,
    /// The snapshot of the producers holds what is not committed.
    SnapshotOfUncommitted,

    // The store.
    /// A group is reported before its sync.
    LogNotSynced,
    /// A checkpoint counts segments that are not synced.
    SegmentsNotSynced,
    /// A checkpoint counts segments whose names are not synced.
    SegmentNamesNotSynced,
    /// A WAL file is used again while a channel still needs it.
    RecycleNeededFile,
    /// What a failed write left behind is not removed.
    FailedWriteStays,
    /// The later writes of a channel go ahead when one has failed.
    LaterWritesGoAhead,
    /// A start does not cut what was cut before it.
    CutNotReplayed,
    /// A trim drops what a voter does not hold yet.
    TrimWhatAVoterLacks,
    /// What failed for want of room is not tried again.
    NeverTryAgain,

    // Moving a channel.
    /// Nodes that do not vote yet count like voters.
    LearnersCount,
    /// Who is not wanted any more lets go of the channel before others hold it.
    LetsGoAtOnce,
    /// A start takes the first voters for the present ones.
    VotersForgottenAtStart,
    /// Batches that the snapshot covers take effect once more when they come.
    CoveredAppliedAgain,
    /// A log begins anew before the snapshot is kept that tells what came before.
    BeginWithoutSnapshot,

    // Devised from the code alone, by somebody who had not read the checks.
    /// A vote for whom the last vote was for is taken as given, whatever the epoch.
    SameCandidateShortcut,
    /// An older promise that becomes durable lets out what waits for a newer one.
    OldPromiseReleases,
    /// What was compared with one leader's log counts as compared with the next one's.
    VerifiedOutlivesLeader,
    /// Requests wait in the order in which they came, and are searched as if by seq.
    UnsortedWaiters,
    /// What a start replays counts as committed in the table of producers.
    ReplayCommits,
    /// A leader without room takes back what it has sent.
    TakesBackSent,
    /// What was read to compare with one leader's log is compared with the next one's.
    StaleComparison,
    /// A deposed leader says of what may yet be committed that it was not appended.
    RetryForInFlight,
    /// No timer is set for what failed for want of room.
    RetryNotArmed,
    /// A checkpoint at a cut counts what was appended after it.
    CutClaimsAll,
    /// Of two cuts that wait the later one is kept, not the lower one.
    LaterCutWins,
    /// A segment that is full is not synced.
    SealWithoutSync,
    /// A cut that the disk refused to follow is forgotten.
    ForgetsCutOnError,
    /// Retention drops a segment that ends after the trim point.
    TrimsStraddling,
    /// A replica that has withdrawn for want of room never comes back.
    NeverResumes,
    /// A start counts before it has replayed everything.
    ServesBeforeReplayed,

    // What a damaged write-ahead log has forgotten.
    /// A voter that may have forgotten what it acknowledged votes.
    LimboVotes,
    /// A start does not know any more that the channel is in limbo.
    LimboForgotten,
    /// Limbo ends as soon as the log holds what the leader said is committed.
    LeavesLimboAtCommit,
    /// A channel in limbo takes the highest epoch that it remembers for the highest that it saw.
    LimboRemembersEpoch,
    /// The bound of what can have been promised is raised in memory only.
    EpochBoundNotKept,
    /// A write-ahead log that is cut short is taken for one whose last group was torn.
    RotAsTorn,

    // Channels that stay writable.
    /// The loser cuts its log before the end of it is kept as a fork.
    CutBeforeSealed,
    /// All of a fork is appended, also what is in the log already.
    RepublishesAll,
    /// A fork is dropped before it is durable that the log has it.
    ForkDroppedEarly,
    /// What had to be taken back of a fork counts as taken.
    TakenBackCounts,
    /// Two leaders of one number are taken for one.
    EpochByNumber,
    /// The table of producers stays as it was when what told of them was cut off.
    ProducersNotRecollected,
}

impl Mutant {
    /// Whether it takes a chain of accidents to do harm, so that it is noticed by one seed of many.
    #[must_use]
    pub const fn is_rare(self) -> bool {
        matches!(
            self,
            Self::CountOldEpochs
                | Self::DurableAcrossCut
                | Self::ReadBeyondDurable
                | Self::StaleComparison
                | Self::ReadIndexUnconfirmed
                | Self::OutOfOrderUnconfirmed
                | Self::LaterCutWins
                | Self::ForgetsCutOnError
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_mistakes_are_told_as_they_are_written() {
        assert_eq!(Mutant::VoteTwice.name(), "VoteTwice");
        assert_eq!(
            Mutant::VoteTwice.mistake(),
            "A voter gives its vote twice in an epoch."
        );
        let numbers = Mutant::ALL.iter().map(|mutant| *mutant as usize);
        assert!(numbers.eq(0..Mutant::ALL.len()));
    }
}
