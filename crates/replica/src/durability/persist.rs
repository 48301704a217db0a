//! Issuing writes, and what follows when one is durable.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Batch, HardState, LogPosition, ReplicaRole, Seq};

use super::{Pending, Write};
use crate::{Context, Effect, LogWrite, PersistToken, Replica};

/// How far the commit position moves before it is written again as a hint.
const HINT_EVERY: u64 = 4_096;

impl Replica {
    /// Writes new batches, which continue `before` and the last of which ends the log.
    pub(crate) fn persist_batches(
        &mut self,
        before: LogPosition,
        batches: Vec<Batch>,
        ctx: &mut Context<'_>,
    ) {
        let Some(last) = batches.last() else {
            return;
        };
        let end = last.position();
        let mut writes = vec![LogWrite::Append(batches)];
        if self.commit.since(self.hinted) >= HINT_EVERY {
            self.hinted = self.commit;
            writes.push(LogWrite::CommitHint(self.commit));
        }
        self.persist(Write::Append(end), before, writes, ctx);
    }

    /// Writes that the log ends at `point`.
    pub(crate) fn persist_truncation(&mut self, point: LogPosition, ctx: &mut Context<'_>) {
        let writes = vec![LogWrite::Truncate(point)];
        self.persist(Write::Truncate(point), point, writes, ctx);
    }

    /// Writes that the log begins at `start`, which everything up to `committed` follows.
    pub(crate) fn persist_beginning(
        &mut self,
        start: LogPosition,
        committed: Seq,
        ctx: &mut Context<'_>,
    ) {
        let writes = vec![LogWrite::Begin(start), LogWrite::CommitHint(committed)];
        self.persist(Write::Begin(start), self.log.tail(), writes, ctx);
    }

    /// Makes an election promise. Everything said from now on waits for it.
    pub(crate) fn persist_hard_state(&mut self, promise: HardState, ctx: &mut Context<'_>) {
        debug_assert!(promise.epoch_seen >= self.hard_state.epoch_seen);
        self.hard_state = promise;
        let writes = vec![LogWrite::HardState(promise)];
        self.persist(Write::HardState, self.log.tail(), writes, ctx);
    }

    pub(super) fn persist(
        &mut self,
        write: Write,
        before: LogPosition,
        writes: Vec<LogWrite>,
        ctx: &mut Context<'_>,
    ) -> PersistToken {
        let generation = self.log.generation();
        let token = self.durability.issue(write, generation, before);
        ctx.effects.push(Effect::Persist {
            token,
            failures: self.durability.failures,
            writes,
        });
        token
    }

    /// A persist is durable.
    pub(crate) fn on_persisted(&mut self, token: PersistToken, ctx: &mut Context<'_>) {
        let Some(pending) = self.durability.take_pending(token) else {
            return;
        };
        self.note_durable(pending);
        for held in self.durability.take_held(token) {
            self.release(held, ctx);
        }
        match pending.write {
            Write::HardState => self.on_promise_durable(ctx),
            Write::Append(_) | Write::Truncate(_) => self.on_log_durable(ctx),
            Write::Begin(start) => self.on_begun(start, ctx),
        }
    }

    fn note_durable(&mut self, pending: Pending) {
        match pending.write {
            Write::Append(end) | Write::Truncate(end) => {
                self.log.made_durable(end, pending.generation);
            }
            Write::Begin(_) => {}
            Write::HardState => {
                if self.durability.hard_state == Some(pending.token)
                    || planted(Mutant::OldPromiseReleases)
                {
                    self.durability.hard_state = None;
                }
            }
        }
    }

    /// More of the log is durable: a leader counts itself, a replica acknowledges.
    fn on_log_durable(&mut self, ctx: &mut Context<'_>) {
        self.drop_settled(ctx);
        match self.role.get() {
            ReplicaRole::Leader => self.advance_commit(ctx),
            ReplicaRole::Replica => {
                self.acknowledge(ctx);
                self.continue_pull(ctx);
            }
            ReplicaRole::Candidate | ReplicaRole::Idle => {}
        }
        self.evict_recent();
    }

    /// Keeps the memory for recent batches within its bound. A leader keeps what is not committed,
    /// which it bounds itself; how much of that others send is not for a replica to say, so it lets
    /// go of everything that is durable.
    pub(crate) fn evict_recent(&mut self) {
        let keep_after = match &self.leadership {
            Some(_) => self.commit,
            None => Seq::MAX,
        };
        self.log.evict(self.settings.recent_bytes, keep_after);
    }

    /// Nothing at or below this seq may be cut: what is or was known to be committed.
    pub(crate) fn commit_floor(&self) -> Seq {
        self.commit.max(self.commit_hint)
    }
}
