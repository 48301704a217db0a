//! Whether a vote may be given: a function of what the voter promised and of the two logs.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Epoch, HardState, LogPosition, frame::RefusalReason};

/// Whether a voter that made the promise `promised`, and whose log is durable to `own`, may vote
/// for the leader of `asked`, whose log is durable to `theirs`: at most once for each epoch number,
/// and only for a log that is at least as good. Who votes at all, and that nobody votes while a
/// leader is heard, is decided elsewhere.
///
/// # Errors
/// The reason to refuse. A refusal for the log in a higher epoch still makes that epoch known.
pub fn may_vote(
    promised: &HardState,
    own: LogPosition,
    asked: Epoch,
    theirs: LogPosition,
) -> Result<(), RefusalReason> {
    if asked.n < promised.epoch_seen.n {
        return Err(RefusalReason::Stale);
    }
    let voted = promised.voted_for;
    let other = voted.is_some_and(|voter| voter != asked.leader) && !planted(Mutant::VoteTwice);
    if asked.n == promised.epoch_seen.n && other {
        return Err(RefusalReason::Voted);
    }
    check_log(theirs, own)
}

/// The candidate's durable log must be at least as good, by last epoch first and then by length
/// (Raft §5.4.1): else it may lack what is committed.
pub(super) fn check_log(theirs: LogPosition, own: LogPosition) -> Result<(), RefusalReason> {
    if theirs.rank() >= own.rank()
        || planted(Mutant::VoteWithoutLogCheck)
        || (planted(Mutant::LongerLogWins) && theirs.seq >= own.seq)
    {
        Ok(())
    } else {
        Err(RefusalReason::Log)
    }
}
