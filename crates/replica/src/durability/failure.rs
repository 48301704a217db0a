//! Writes that did not happen (protocol §12). A full disk is a state of the protocol, not an
//! error: a replica takes the failed batches back out of its log and refuses more for a while; a
//! leader takes back what nobody has seen, and writes again, byte for byte, what it has sent.
//!
//! The store keeps one rule for this: the writes of a channel are durable in the order in which they
//! are issued. Once one has failed, so do all that were issued before the replica was told, whatever
//! they are: a batch may rest on an election promise, and a truncation on an append.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{LogPosition, ReplicaRole, frame::ProduceOutcome};

use super::{Pending, Retry, Write};
use crate::{Context, HaltReason, LogWrite, PersistFailure, PersistToken, Replica};

impl Replica {
    /// A persist did not happen.
    pub(crate) fn on_persist_failed(
        &mut self,
        token: PersistToken,
        failure: PersistFailure,
        ctx: &mut Context<'_>,
    ) {
        let Some(pending) = self.durability.take_pending(token) else {
            return;
        };
        self.durability.failures += 1;
        match failure {
            PersistFailure::Corrupt => self.halt(HaltReason::Corrupt, ctx),
            PersistFailure::Refused => self.halt(HaltReason::LogRefused, ctx),
            PersistFailure::Fatal => self.halt(HaltReason::StoreFailed, ctx),
            PersistFailure::StorageFull => self.on_storage_full(pending, ctx),
        }
    }

    fn on_storage_full(&mut self, pending: Pending, ctx: &mut Context<'_>) {
        let at = ctx.now.mono.plus(self.settings.heartbeat);
        let retry = self.durability.retry.get_or_insert(Retry {
            at,
            hard_state: false,
            truncate: None,
        });
        match pending.write {
            Write::HardState => {
                // Only the latest promise matters, and what waits for it goes on waiting.
                if self.durability.hard_state == Some(pending.token) {
                    retry.hard_state = true;
                }
            }
            Write::Truncate(point) => {
                if pending.generation == self.log.generation() {
                    retry.truncate = Some(point);
                    self.take_back(point, ctx);
                }
            }
            Write::Begin(_) => self.on_beginning_failed(ctx),
            Write::Append(_) => self.on_append_failed(pending, ctx),
        }
    }

    /// The log on disk ends before this write. If it was cut to there or lower meanwhile, whatever
    /// came after that cut is not touched by the failure.
    fn on_append_failed(&mut self, failed: Pending, ctx: &mut Context<'_>) {
        match self.role.get() {
            ReplicaRole::Leader => {
                self.refuse_staged(ctx);
                self.take_back_unsent(ctx);
            }
            ReplicaRole::Replica | ReplicaRole::Candidate | ReplicaRole::Idle => {
                if failed.cut.is_none_or(|cut| cut > failed.before.seq) {
                    self.take_back(failed.before, ctx);
                }
            }
        }
    }

    /// Takes batches that never became durable out of the log again.
    fn take_back(&mut self, point: LogPosition, ctx: &mut Context<'_>) {
        if point.seq < self.log.tail().seq {
            self.cut_memory(point);
        }
        self.forget_catch_up();
        self.refuse_for_disk(ctx);
    }

    /// What waits to become batches continues what failed, and will find no room either. A leader
    /// whose epoch has not begun in the log keeps what begins it.
    pub(crate) fn refuse_staged(&mut self, ctx: &mut Context<'_>) {
        let tail = self.log.tail().seq;
        let Some(leadership) = self.leadership.as_mut().filter(|one| one.start <= tail) else {
            return;
        };
        let (fresh, perhaps_known) = leadership.staging.drain();
        if !planted(Mutant::TakenBackCounts) {
            leadership.collection = None;
        }
        for ticket in fresh {
            self.reply(ticket, ProduceOutcome::StorageFull, ctx);
        }
        for ticket in perhaps_known {
            self.reply(ticket, ProduceOutcome::Indeterminate, ctx);
        }
    }

    /// A leader gives up what nobody has seen; what it has sent stays and is written again.
    fn take_back_unsent(&mut self, ctx: &mut Context<'_>) {
        let durable = self.log.durable();
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        let mut keep = leadership.sent.max(leadership.start);
        if planted(Mutant::TakesBackSent) {
            keep = leadership.start;
        }
        let point = self.log.position_at(keep.max(durable.seq));
        let Some(point) = point.filter(|point| point.seq < self.log.tail().seq) else {
            return;
        };
        let refused = leadership.take_back(point.seq, ctx.now.mono);
        self.cut_memory(point);
        for (ticket, outcome) in refused {
            self.reply(ticket, outcome, ctx);
        }
    }

    /// Gives up, without a leader's duties any more, what failed and was kept to be written again:
    /// it begins where the durable log ends, and what is still under way continues it and will
    /// fail, too.
    pub(crate) fn drop_stuck_writes(&mut self) {
        let durable = self.log.durable();
        let under_way = self.durability.first_append();
        let stuck = under_way.is_none_or(|before| before.seq > durable.seq);
        if stuck && durable.seq < self.log.tail().seq {
            self.cut_memory(durable);
        }
    }

    /// Tries the failed writes again when it is time.
    pub(crate) fn retry_writes(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let Some(retry) = self.durability.retry.filter(|retry| retry.at <= now) else {
            return;
        };
        self.durability.retry = None;
        if planted(Mutant::NeverTryAgain) {
            return;
        }
        if let (true, Some(old)) = (retry.hard_state, self.durability.hard_state) {
            let writes = vec![LogWrite::HardState(self.hard_state)];
            let before = self.log.tail();
            let new = self.persist(Write::HardState, before, writes, ctx);
            self.durability.wait_for_instead(old, new);
            self.candidacy_waits_for(old, new);
        }
        if let Some(point) = retry.truncate
            && point.seq <= self.log.tail().seq
        {
            self.persist_truncation(point, ctx);
        }
        self.rewrite_log(ctx);
    }

    /// Writes again, byte for byte, what is in the log but neither durable nor under way.
    fn rewrite_log(&mut self, ctx: &mut Context<'_>) {
        if self.role.get() != ReplicaRole::Leader || self.durability.appends() > 0 {
            return;
        }
        let durable = self.log.durable();
        if let Some(index) = self.log.recent().index_after(durable.seq) {
            let batches = self.log.recent().from(index).cloned().collect();
            self.persist_batches(durable, batches, ctx);
        }
    }
}
