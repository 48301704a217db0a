//! Waiting requests become batches: framed once, put into the log, handed to the disk and to the
//! followers at the same time (protocol §3.2, §8).
//!
//! Nothing waits when the disk is idle. While earlier batches are still being written, requests
//! gather, so that batches grow under load without a timer.

use tetrarch_wire::{
    Batch, Epoch, Seq,
    batch::{BatchDraft, Control, EventBlock},
    frame::AppendedRun,
};

use super::{
    in_flight::Answerable,
    staging::{Group, Staged, Waiter},
};
use crate::{Context, Replica};

/// How many producers are forgotten at once: a part of the table, so that this is rare.
const EXPIRE_PART: usize = 64;
/// Most producers in one control batch, well below its limit in bytes.
const EXPIRE_MOST: usize = 16_384;

impl Replica {
    /// Whether waiting requests may become batches now.
    pub(crate) fn may_form(&self) -> bool {
        self.durability.appends() < self.settings.outstanding_persists && !self.durability.is_full()
    }

    /// Makes batches of what waits, as much as one write carries, and sends them on their way.
    pub(crate) fn form_batches(&mut self, ctx: &mut Context<'_>) {
        if self.leadership.is_none() || !self.may_form() {
            return;
        }
        let before = self.log.tail();
        let batches = self.seal_staged(ctx);
        if !batches.is_empty() {
            self.persist_batches(before, batches, ctx);
            self.push_to_all(ctx);
        }
        let again = self.leadership.as_mut().map(|l| l.staging.take_again());
        for request in again.unwrap_or_default() {
            self.on_produce(request, ctx);
        }
    }

    fn seal_staged(&mut self, ctx: &mut Context<'_>) -> Vec<Batch> {
        self.last_ts_ms = self.last_ts_ms.max(ctx.now.wall_ms);
        let (mut batches, mut bytes) = (Vec::new(), 0);
        batches.extend(self.seal_expiry());
        let mut is_drained = false;
        while bytes < self.settings.persist_bytes {
            let Some(leadership) = &mut self.leadership else {
                break;
            };
            let epoch = leadership.epoch;
            let batch = match leadership.staging.pop() {
                Some(Staged::Events(group)) => self.seal_events(group, epoch),
                Some(Staged::Control(control)) => self.seal(BatchDraft::control(&control), epoch),
                None => {
                    is_drained = true;
                    break;
                }
            };
            bytes += batch.size();
            batches.push(batch);
        }
        // What still waits may be the same events as a fork's.
        if is_drained && self.has_chunk() {
            let room = self.settings.persist_bytes.saturating_sub(bytes);
            batches.extend(self.seal_chunk(room));
        }
        batches
    }

    fn seal_events(&mut self, group: Group, epoch: Epoch) -> Batch {
        let draft = BatchDraft::data(
            group.producer,
            group.producer_epoch,
            group.base,
            EventBlock::merge(&group.blocks),
        );
        let batch = self.seal(draft, epoch);
        if let Some(leadership) = &mut self.leadership {
            for waiter in group.waiters {
                leadership.in_flight.push(answerable(waiter, &batch));
            }
        }
        batch
    }

    /// Frames a batch and puts it at the end of the log.
    pub(crate) fn seal(&mut self, draft: BatchDraft, epoch: Epoch) -> Batch {
        let batch = draft.seal(&self.log.tail(), epoch, self.last_ts_ms);
        self.append_to_log(batch.clone());
        if let Some(leadership) = &mut self.leadership {
            leadership
                .in_flight
                .appended(batch.last_seq(), batch.size());
        }
        batch
    }

    /// Forgets the producers that were quiet for longest when there are too many, by an entry in
    /// the log and never by a clock (protocol §14).
    fn seal_expiry(&mut self) -> Option<Batch> {
        let limit = self.settings.max_producers;
        let over = self.producers.len().checked_sub(limit).filter(|o| *o > 0)?;
        let count = (over + limit / EXPIRE_PART).min(EXPIRE_MOST);
        let producers = self.producers.longest_quiet(count);
        let epoch = self.leadership.as_ref()?.epoch;
        let expire = Control::ProducerExpire { producers };
        Some(self.seal(BatchDraft::control(&expire), epoch))
    }
}

fn answerable(waiter: Waiter, batch: &Batch) -> Answerable {
    let first: Seq = batch.base_seq().plus(waiter.offset.into());
    let new = AppendedRun {
        first,
        count: waiter.count,
        duplicate: false,
    };
    Answerable {
        ticket: waiter.ticket,
        needs: first.plus(u64::from(waiter.count) - 1),
        new: Some(new),
        earlier: waiter.earlier,
        link: batch.link(),
    }
}
