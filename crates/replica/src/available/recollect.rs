//! What is known of producers is a function of the log. Where a part of the log is cut that was committed,
//! the table cannot be rolled back, and is made anew from the log's batches, chunk by chunk. A replica
//! that is at it follows as usual, and does not lead.

use tetrarch_wire::{Batch, Seq};

use crate::{
    Context, LogReadFailure, Moment, Replica,
    catchup::ReadPurpose,
    producer::{Numbers, ProducerTable},
};

/// How far the table was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recollection {
    /// The next seq to be taken in.
    next: Seq,
    /// A read is under way.
    is_reading: bool,
    /// It is not read before.
    not_before: Moment,
}

/// Bytes of the log that are read at once.
const CHUNK_BYTES: u32 = 1024 * 1024;

impl Replica {
    /// Begins: nothing is known of any producer.
    pub(crate) fn recollect_producers(&mut self) {
        self.producers = ProducerTable::new(Numbers::Gaps, self.settings.producer_window);
        self.reads
            .retain(|_, purpose| !matches!(purpose, ReadPurpose::Recollect));
        self.recollection = Some(Recollection {
            next: self.log.start().seq.next(),
            is_reading: false,
            not_before: Moment::default(),
        });
    }

    /// Whether the table of producers does not stand for the log yet.
    pub(crate) const fn is_recollecting(&self) -> bool {
        self.recollection.is_some()
    }

    /// A read that is due is due at once.
    pub(crate) fn recollection_deadline(&self) -> Option<Moment> {
        let waiting = self.recollection.filter(|one| !one.is_reading);
        waiting.map(|one| one.not_before)
    }

    /// Part of every tick: reads on, or ends when the rest of the log is in memory.
    pub(crate) fn go_on_recollecting(&mut self, ctx: &mut Context<'_>) {
        let due = self.recollection_deadline();
        let Some(Recollection { next, .. }) = self.recollection else {
            return;
        };
        if due.is_none_or(|at| ctx.now.mono < at) {
            return;
        }
        if next > self.log.tail().seq {
            self.recollection = None;
        } else if let Some(index) = self.log.recent().index_of(next) {
            let rest: Vec<Batch> = self.log.recent().from(index).cloned().collect();
            self.recollection = None;
            self.take_in(&rest, next);
        } else {
            self.recollection = Some(Recollection {
                next,
                is_reading: true,
                not_before: Moment::default(),
            });
            self.read_log(ReadPurpose::Recollect, next, CHUNK_BYTES, ctx);
        }
    }

    /// A part of the log was read.
    pub(crate) fn on_recollected(
        &mut self,
        result: Result<Vec<Batch>, LogReadFailure>,
        ctx: &mut Context<'_>,
    ) {
        let Some(Recollection { next, .. }) = self.recollection else {
            return;
        };
        let mut on = Recollection {
            next,
            is_reading: false,
            // What cannot be read now is read again after a while.
            not_before: ctx.now.mono.plus(self.settings.heartbeat),
        };
        if let Ok(batches) = result
            && let Some(last) = batches.last()
        {
            self.take_in(&batches, next);
            on.next = last.last_seq().next();
            on.not_before = Moment::default();
        }
        self.recollection = Some(on);
        self.go_on_recollecting(ctx);
    }

    fn take_in(&mut self, batches: &[Batch], from: Seq) {
        for batch in batches.iter().filter(|batch| batch.base_seq() >= from) {
            let control = batch.control().ok().flatten();
            self.producers.apply(batch.header(), control.as_ref());
        }
    }
}
