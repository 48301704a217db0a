//! A client wants to append: what is refused, what is known already, and what is staged
//! (protocol §8, §14).

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    ReplicaRole,
    frame::{ProduceOutcome, RetryReason},
};

use super::in_flight::Answerable;
use crate::{
    Context, ProduceRequest, Replica, Ticket,
    producer::{Admission, Numbers},
    replication::Leadership,
};

/// How long a client waits when the queue is full, in milliseconds.
const QUEUE_FULL_RETRY_MS: u32 = 10;

impl Replica {
    /// A client wants to append.
    pub(crate) fn on_produce(&mut self, request: ProduceRequest, ctx: &mut Context<'_>) {
        if let Some(outcome) = self.refusal(&request) {
            self.reply(request.ticket, outcome, ctx);
            return;
        }
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        if !request.producer.is_idempotent() {
            leadership.staging.push(request, Vec::new());
            return;
        }
        match judge(&self.producers, leadership, &request) {
            Judgement::Again => leadership.staging.judge_again(request),
            Judgement::Decided(admission) => self.admit(request, admission, ctx),
        }
    }

    /// Why a request is not even looked at.
    fn refusal(&self, request: &ProduceRequest) -> Option<ProduceOutcome> {
        if self.role.get() != ReplicaRole::Leader {
            return Some(self.not_leader(self.known_leader()));
        }
        let leadership = self.leadership.as_deref()?;
        if request.events.count() == 0 {
            return Some(retry(RetryReason::Invalid, 0));
        }
        if let Some(transfer) = &leadership.transfer {
            return Some(ProduceOutcome::Retry {
                reason: RetryReason::Draining,
                after_ms: QUEUE_FULL_RETRY_MS,
                leader: self.node_of(transfer.target),
            });
        }
        if self.durability.is_full() || self.is_frozen() || self.majority_is_parked() {
            return Some(ProduceOutcome::StorageFull);
        }
        let (staging, in_flight) = (&leadership.staging, &leadership.in_flight);
        let full = staging.bytes() + in_flight.bytes() + request.events.bytes().len()
            > self.settings.unacked_bytes
            || staging.batches() + in_flight.batches() >= self.settings.unacked_batches
            || staging.requests() + in_flight.requests() >= self.settings.unacked_requests;
        full.then(|| retry(RetryReason::QueueFull, QUEUE_FULL_RETRY_MS))
    }

    /// What a halted replica answers.
    pub(crate) fn refuse_to_produce(&mut self, ticket: Ticket, ctx: &mut Context<'_>) {
        let outcome = self.not_leader(None);
        ctx.effects.push(crate::Effect::Reply { ticket, outcome });
    }

    fn admit(&mut self, mut request: ProduceRequest, admission: Admission, ctx: &mut Context<'_>) {
        let ticket = request.ticket;
        let outcome = match admission {
            Admission::Append { known, earlier } => {
                if known > 0 {
                    request.events = request.events.split_at(known).1;
                    request.base_producer_seq = request.base_producer_seq.plus(known.into());
                }
                if let Some(leadership) = &mut self.leadership {
                    leadership.staging.push(request, earlier);
                }
                return;
            }
            Admission::AppendPart { skip, count } => {
                let part = request.events.clone().split_at(skip).1.split_at(count).0;
                let base = request.base_producer_seq.plus(skip.into());
                if let Some(leadership) = &mut self.leadership {
                    leadership.staging.push_part(&request, base, part);
                    leadership.staging.judge_again(request);
                }
                return;
            }
            Admission::Known { runs, last, link } => {
                let known = Answerable {
                    ticket,
                    needs: last,
                    new: None,
                    earlier: runs,
                    link,
                };
                self.answer_known(known, ctx);
                return;
            }
            Admission::OutOfOrder { expected } => {
                let outcome = ProduceOutcome::OutOfOrder { expected };
                if planted(Mutant::OutOfOrderUnconfirmed) {
                    self.reply(ticket, outcome, ctx);
                    return;
                }
                self.reply_when_confirmed(ticket, outcome, ctx);
                return;
            }
            Admission::Fenced { current } => ProduceOutcome::Fenced { current },
            Admission::Forgotten => ProduceOutcome::Indeterminate,
        };
        self.reply(ticket, outcome, ctx);
    }

    /// All events are in the log: answered when they are committed, as they were the first time.
    fn answer_known(&mut self, known: Answerable, ctx: &mut Context<'_>) {
        if known.needs > self.commit && !planted(Mutant::KnownBeforeCommitted) {
            if let Some(leadership) = &mut self.leadership {
                leadership.in_flight.push(known);
            }
            return;
        }
        let durable = self.durable_by_voter();
        let copies = durable.iter().filter(|seq| **seq >= known.needs).count();
        let outcome = ProduceOutcome::Appended {
            epoch: self.epoch_seen(),
            copies: u8::try_from(copies).unwrap_or(u8::MAX),
            degraded: self.is_degraded(copies),
            link: known.link,
            runs: known.earlier,
        };
        self.reply(known.ticket, outcome, ctx);
    }
}

enum Judgement {
    Decided(Admission),
    /// It repeats what is staged and has no seq yet.
    Again,
}

/// Judges a request by the log and by what is staged behind it.
fn judge(
    table: &crate::producer::ProducerTable,
    leadership: &Leadership,
    request: &ProduceRequest,
) -> Judgement {
    let (producer, epoch) = (request.producer, request.producer_epoch);
    let (base, count) = (request.base_producer_seq, request.events.count());
    let by_table = || table.judge(producer, epoch, base, count);
    let Some(staged) = leadership.staging.latest(producer) else {
        return Judgement::Decided(by_table());
    };
    let staged_epoch = staged.producer_epoch;
    let admission = if epoch < staged_epoch {
        Admission::Fenced {
            current: staged_epoch,
        }
    } else if epoch > staged_epoch {
        by_table()
    } else if base >= staged.next() && table.numbers() == Numbers::Gaps {
        // What is staged is not in the table, and lies below.
        match by_table() {
            all_new @ Admission::Append { known: 0, .. } => all_new,
            Admission::Append { .. }
            | Admission::AppendPart { .. }
            | Admission::Known { .. }
            | Admission::OutOfOrder { .. }
            | Admission::Fenced { .. }
            | Admission::Forgotten => return Judgement::Again,
        }
    } else if base == staged.next() {
        Admission::append_all()
    } else if base > staged.next() {
        Admission::OutOfOrder {
            expected: staged.next(),
        }
    } else {
        match by_table() {
            known @ (Admission::Known { .. } | Admission::Forgotten) => known,
            Admission::Append { .. }
            | Admission::AppendPart { .. }
            | Admission::OutOfOrder { .. }
            | Admission::Fenced { .. } => return Judgement::Again,
        }
    };
    Judgement::Decided(admission)
}

const fn retry(reason: RetryReason, after_ms: u32) -> ProduceOutcome {
    ProduceOutcome::Retry {
        reason,
        after_ms,
        leader: None,
    }
}
