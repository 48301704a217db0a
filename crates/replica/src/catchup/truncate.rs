//! Cutting the log back: to a position that it was shown to share with the leader's log, and never
//! below what is known to be committed (protocol §9.3, I11).

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{LogPosition, Seq};

use crate::{Context, HaltReason, Replica};

/// Whether a log that ends at `tail` may be cut to `point`, if everything up to `committed` is
/// known to be committed: never if that would take something committed out of it.
#[must_use]
pub fn may_cut(point: Seq, tail: Seq, committed: Seq) -> bool {
    point >= committed.min(tail)
}

impl Replica {
    /// Cuts everything after `point`, durably. Says whether the log ends there now: it does not
    /// if committed batches would go, which halts the channel here, and not yet in a channel of class
    /// `available`, where what is to be cut is sealed first.
    pub(crate) fn truncate(&mut self, point: LogPosition, ctx: &mut Context<'_>) -> bool {
        let tail = self.log.tail().seq;
        if point.seq == tail {
            return true;
        }
        if self.is_available() {
            if planted(Mutant::CutBeforeSealed) {
                self.cut_sealed(point, ctx);
                return true;
            }
            self.seal_after(point, ctx);
            return false;
        }
        let commit = self.commit_floor();
        if !may_cut(point.seq, tail, commit) {
            let point = point.seq;
            self.halt(HaltReason::WouldTruncateCommitted { point, commit }, ctx);
            return false;
        }
        self.cut_memory(point);
        self.note_cut_while_mending();
        self.persist_truncation(point, ctx);
        true
    }

    /// Takes everything after `point` back from what is in memory.
    ///
    /// The others may have committed what found no room here. It has taken effect for good, and changes
    /// nothing when it comes again.
    pub(crate) fn cut_memory(&mut self, point: LogPosition) {
        self.log.truncate(point);
        self.durability.note_cut(point.seq);
        self.covered = self.covered.max(self.commit);
        let last_effect = point.seq.max(self.covered);
        if self.is_recollecting() {
            self.recollect_producers();
        } else if !planted(Mutant::ProducersNotRolledBack) {
            self.producers.rollback(last_effect);
        }
        self.controls.truncate(last_effect);
        self.kept.truncate(point.seq);
        self.following.truncate(point);
    }
}
