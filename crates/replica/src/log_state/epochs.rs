//! Where each epoch begins in a log, and the search for the last position that two logs have in
//! common (protocol §9.3; KIP-101 and KIP-279).

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Batch, EpochStart, LogPosition, Seq};

/// The epochs of a log, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Epochs(Vec<EpochStart>);

impl Epochs {
    pub(super) fn new(starts: Vec<EpochStart>) -> Self {
        Self(starts)
    }

    pub(super) fn note(&mut self, batch: &Batch) {
        if self.0.last().is_none_or(|last| last.epoch < batch.epoch()) {
            self.0.push(EpochStart {
                epoch: batch.epoch(),
                start: batch.base_seq(),
                link: batch.link(),
            });
        }
    }

    pub(super) fn truncate(&mut self, after: Seq) {
        while self.0.pop_if(|row| row.start > after).is_some() {}
    }

    /// Forgets the epochs that end at or before `upto`.
    pub(super) fn trim(&mut self, upto: Seq) {
        let ended = self
            .0
            .windows(2)
            .take_while(|pair| pair[1].start.previous() <= upto)
            .count();
        self.0.drain(..ended);
    }

    /// The latest epochs that begin at or before `upto`, newest first, at most `limit`.
    pub(crate) fn newest_first(&self, upto: Seq, limit: usize) -> Vec<EpochStart> {
        let rows = self.0.iter().rev();
        rows.filter(|row| row.start <= upto)
            .take(limit)
            .copied()
            .collect()
    }

    /// The last seq that this log has in common with another: see [`common_end`].
    pub(crate) fn common_end(
        &self,
        start: LogPosition,
        tail: Seq,
        their_tail: Seq,
        theirs: &[EpochStart],
    ) -> Option<Seq> {
        common_end(&self.0, start, tail, their_tail, theirs)
    }
}

/// The last seq that a log, which reaches from `start` to `tail` and has the epochs `mine`, oldest
/// first, has in common with one that ends at `their_tail` and whose latest epochs are `theirs`,
/// newest first.
///
/// Two logs that hold the same first batch of an epoch hold the same log up to it, and then what
/// one leader wrote: the shorter one's part of that epoch is common to both. `None` if none of the
/// epochs is known here and older ones may exist there.
#[must_use]
pub fn common_end(
    mine: &[EpochStart],
    start: LogPosition,
    tail: Seq,
    their_tail: Seq,
    theirs: &[EpochStart],
) -> Option<Seq> {
    if planted(Mutant::CutWithoutComparing) {
        return Some(tail.min(their_tail));
    }
    let mut their_end = their_tail;
    for row in theirs {
        if let Some(index) = mine.iter().rposition(|own| same_epoch(own, row)) {
            let here = mine.get(index + 1);
            let end = here.map_or(tail, |next| next.start.previous());
            return Some(end.min(their_end));
        }
        if row.epoch == start.epoch {
            // All that is known of this epoch here is where the log begins.
            return Some(start.seq.min(their_end));
        }
        their_end = their_end.min(row.start.previous());
    }
    (their_end == Seq::ZERO).then_some(Seq::ZERO)
}

/// Whether two rows are of one epoch of one history. Where retention has dropped its first batch,
/// a row begins later than the epoch did, and only the epoch itself can be compared; the links at
/// the point are compared before anything is cut in any case.
fn same_epoch(mine: &EpochStart, theirs: &EpochStart) -> bool {
    mine.epoch == theirs.epoch && (mine.start != theirs.start || mine.link == theirs.link)
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::{Epoch, Link, VoterId};

    use super::*;

    fn row(n: u64, start: u64) -> EpochStart {
        let link = u8::try_from(n * 16 + start % 16).unwrap();
        EpochStart {
            epoch: Epoch::new(n, VoterId::from_bytes([1; 16])),
            start: Seq::new(start),
            link: Link::from_bytes([link; 16]),
        }
    }

    fn origin() -> LogPosition {
        LogPosition::origin(Link::genesis(b"test"))
    }

    fn newest_first(rows: &[EpochStart]) -> Vec<EpochStart> {
        rows.iter().rev().copied().collect()
    }

    fn common(mine: &[EpochStart], tail: u64, theirs: &[EpochStart], their: u64) -> Option<u64> {
        Epochs::new(mine.to_vec())
            .common_end(
                origin(),
                Seq::new(tail),
                Seq::new(their),
                &newest_first(theirs),
            )
            .map(Seq::get)
    }

    #[test]
    fn a_prefix_is_common_to_its_end() {
        let rows = [row(1, 1), row(2, 10)];
        assert_eq!(common(&rows, 20, &rows[..1], 5), Some(5));
        assert_eq!(common(&rows, 20, &rows, 20), Some(20));
        assert_eq!(common(&rows[..1], 5, &rows, 20), Some(5));
    }

    #[test]
    fn a_suffix_of_an_unknown_epoch_is_cut_where_the_known_one_ends_on_either_side() {
        // They went on to 8 in epoch 1 and then wrote epoch 2; epoch 3 here began at 6.
        let mine = [row(1, 1), row(3, 6)];
        let theirs = [row(1, 1), row(2, 9)];
        assert_eq!(common(&mine, 12, &theirs, 11), Some(5));
        // The other way round: epoch 1 ended there before it ended here.
        let theirs = [row(1, 1), row(2, 4)];
        assert_eq!(common(&mine, 12, &theirs, 11), Some(3));
    }

    #[test]
    fn fast_double_failover_iterates_downward() {
        // KIP-279: the same numbers of epochs, but another first batch.
        let mut other = row(2, 4);
        other.link = Link::from_bytes([0xEE; 16]);
        assert_eq!(
            common(&[row(1, 1), other], 9, &[row(1, 1), row(2, 4)], 7),
            Some(3)
        );
    }

    #[test]
    fn nothing_known_asks_for_older_epochs_unless_there_are_none() {
        assert_eq!(common(&[row(1, 1)], 5, &[row(7, 40)], 50), None);
        assert_eq!(common(&[row(1, 1)], 5, &[row(7, 1)], 50), Some(0));
        assert_eq!(common(&[row(1, 1)], 5, &[], 0), Some(0));
    }

    #[test]
    fn where_retention_dropped_an_epoch_its_end_is_still_common() {
        let start = LogPosition {
            seq: Seq::new(9),
            epoch: row(1, 1).epoch,
            link: Link::from_bytes([9; 16]),
        };
        let mine = Epochs::new(vec![row(2, 10)]);
        let end =
            |their_tail| mine.common_end(start, Seq::new(20), Seq::new(their_tail), &[row(1, 1)]);
        assert_eq!(end(9), Some(Seq::new(9)));
        assert_eq!(end(12), Some(Seq::new(9)));
        assert_eq!(end(5), Some(Seq::new(5)), "which is no longer held");
    }

    #[test]
    fn trimming_keeps_the_epoch_that_holds_the_first_batch() {
        let mut epochs = Epochs::new(vec![row(1, 1), row(2, 10), row(3, 20)]);
        epochs.trim(Seq::new(9));
        assert_eq!(epochs.newest_first(Seq::MAX, 16).len(), 2);
        epochs.trim(Seq::new(12));
        assert_eq!(epochs.newest_first(Seq::MAX, 16).len(), 2);
    }
}
