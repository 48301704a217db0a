//! A log that goes on beyond where it parts from its leader's: that end is sealed as a fork, durably, and
//! only then cut (protocol §10). Until it is sealed nothing of the leader's is taken.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{LogPosition, frame::ForkReport};

use crate::{Context, Effect, Replica, SealFailure, catchup::CatchUp};

impl Replica {
    /// What comes after `point` is not the leader's, and is to become a fork.
    pub(crate) fn seal_after(&mut self, point: LogPosition, ctx: &mut Context<'_>) {
        if self.catch_up.is_sealing() {
            return;
        }
        if !self.log.is_all_durable() {
            // What is being written belongs to the fork as well.
            self.wait(self.settings.heartbeat / 4, ctx);
            return;
        }
        self.catch_up = CatchUp::Sealing {
            point,
            end: self.log.tail(),
        };
        ctx.effects.push(Effect::Seal { after: point });
    }

    /// The end of the log from `after` to `end` is a fork now, durably, or that did not work. What was
    /// sealed is cut only if it is exactly what is to be cut: the log may have grown, or another leader may
    /// be followed by now.
    pub(crate) fn on_sealed(
        &mut self,
        after: LogPosition,
        sealed: Result<(LogPosition, Option<ForkReport>), SealFailure>,
        ctx: &mut Context<'_>,
    ) {
        // One that is kept in vain is told of all the same.
        if let Ok((_, Some(fork))) = sealed {
            self.kept.add(fork);
            self.drop_settled(ctx);
        }
        let CatchUp::Sealing { point, end } = self.catch_up else {
            return;
        };
        if point != after {
            return;
        }
        match sealed {
            Ok((sealed, _)) if sealed == end && end == self.log.tail() => {
                self.cut_sealed(point, ctx);
                self.search_anew(ctx);
            }
            Ok(_) => self.search_anew(ctx),
            Err(SealFailure::StorageFull | SealFailure::Damaged | SealFailure::Transient) => {
                self.wait(self.settings.heartbeat * 2, ctx);
            }
        }
    }

    /// Cuts what is sealed, whatever of it was acknowledged: no commit position forbids it.
    pub(crate) fn cut_sealed(&mut self, point: LogPosition, ctx: &mut Context<'_>) {
        let is_known_to_readers = self.commit > point.seq;
        let is_known_of_producers = self.commit.max(self.covered) > point.seq;
        self.covered = self.covered.min(point.seq);
        self.commit = self.commit.min(point.seq);
        self.hinted = self.hinted.min(point.seq);
        self.commit_hint = self.commit_hint.min(point.seq);
        self.cut_memory(point);
        if is_known_of_producers && !planted(Mutant::ProducersNotRecollected) {
            self.recollect_producers();
        }
        self.persist_truncation(point, ctx);
        if is_known_to_readers {
            ctx.effects.push(Effect::Diverged { point });
        }
    }
}
