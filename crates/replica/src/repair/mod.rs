//! A damaged segment of the own log is mended with batches of other voters (protocol §11.5).
//!
//! What a segment must hold is known by its links, so it does not matter who gives its batches, nor in
//! which role anybody is: a replica whose other bytes are intact goes on voting, following and leading
//! meanwhile, and one that is halted because of the damage asks, and answers others, all the same.
//! The store says what it lacks, one place after the other; here is decided whom to ask, and when again.
//!
//! If so many voters do not have it that it cannot have been committed, nobody may ever: then the replica
//! is halted, so that it leads nobody to what it does not have itself.

mod ask;
mod give_up;
mod serve;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use tetrarch_wire::{Seq, VoterId};

use crate::Moment;

/// What the store made of batches that it was given for a damaged segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MendOutcome {
    /// The segment is whole again, or is not needed any more.
    Done,
    /// It lacks what follows `after`, up to `upto` at most.
    Lacks {
        /// The last seq that is whole.
        after: Seq,
        /// The last seq of the segment.
        upto: Seq,
    },
    /// Something of what was given since it began anew is of another history. All of it was forgotten.
    Contradicted,
    /// The disk did not let it be mended now.
    Failed,
}

/// The segment that is being mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repair {
    /// Its first seq.
    segment: Seq,
    /// What it lacks, if the store has said so.
    lacks: Option<(Seq, Seq)>,
    /// How far it was whole at best: what leads no further is no progress.
    furthest: Seq,
    /// How many attempts in a row have brought nothing.
    fruitless: u32,
    /// Whose turn it is to be asked.
    turn: usize,
    /// Who gave what the store has put together since it began anew.
    givers: BTreeSet<VoterId>,
    /// The last question about what is lacking that each voter was asked.
    asked: BTreeMap<VoterId, u64>,
    /// Voters whose logs do not have what is lacking, as they have said since the last pause.
    without_it: BTreeSet<VoterId>,
    /// The log was cut since the store was asked what the segment lacks. That may be gone by now, and nobody
    /// else need have it.
    is_outdated: bool,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The store tries with what it was given, by this voter.
    Mending { given_by: Option<VoterId> },
    /// A voter was asked.
    Asking {
        voter: VoterId,
        request: u64,
        until: Moment,
    },
    /// Everybody was asked in vain, the disk refused, or a cut is not durable yet.
    Resting { until: Moment },
}
