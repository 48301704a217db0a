//! Answers to clients and operators: each request gets one, and it says nothing that is not so
//! (I8, I12, I13).

use std::collections::{BTreeMap, BTreeSet};

use tetrarch_replica::{Effect, Input, Moment, Ticket};
use tetrarch_wire::{Epoch, Seq, VoterId, frame::ProduceOutcome};

use super::Witness;

/// When something was asked for, and what was committed then.
#[derive(Clone, Copy)]
struct Asked {
    at: Moment,
    commit: Seq,
}

/// What was asked for and not answered yet.
#[derive(Default)]
pub(super) struct Answers {
    produces: BTreeMap<Ticket, Asked>,
    reads: BTreeMap<Ticket, Asked>,
    orders: BTreeSet<Ticket>,
}

impl Answers {
    pub(super) fn asked(&mut self, input: &Input, at: Moment, commit: Seq) {
        let asked = Asked { at, commit };
        match input {
            Input::Produce(request) => {
                self.produces.insert(request.ticket, asked);
            }
            Input::ReadIndex { ticket } => {
                self.reads.insert(*ticket, asked);
            }
            Input::Transfer { ticket, .. } => {
                self.orders.insert(*ticket);
            }
            _ => {}
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.produces.len() + self.reads.len()
    }
}

impl Witness {
    pub(super) fn hears_beat_acked(&mut self, voter: VoterId, epoch: Epoch, sent_at: Moment) {
        if let Some(led) = self.led.as_mut().filter(|led| led.epoch == epoch)
            && led.followers.contains(&voter)
        {
            let latest = led.beats.entry(voter).or_default();
            *latest = sent_at.max(*latest);
        }
    }

    pub(super) fn sees_answer(&mut self, effect: &Effect) {
        match effect {
            Effect::Reply { ticket, outcome } => {
                let asked = self.answers.produces.remove(ticket);
                let asked = asked.expect("a request is answered twice, or was never made");
                self.may_say(outcome, asked);
            }
            Effect::ReadIndexReady { ticket, result } => {
                let asked = self.answers.reads.remove(ticket);
                let asked = asked.expect("a read is answered twice, or was never asked for");
                if let Ok((epoch, index)) = result {
                    self.is_confirmed(*epoch, asked, "a read index");
                    assert!(
                        (asked.commit..=self.commit).contains(index),
                        "I13: read up to {index}, {} was committed before",
                        asked.commit
                    );
                }
            }
            Effect::AdminDone { ticket, .. } => {
                let was_asked = self.answers.orders.remove(ticket);
                assert!(was_asked, "an order is answered twice, or was never given");
            }
            other => panic!("{other:?} is no answer"),
        }
    }

    fn may_say(&self, outcome: &ProduceOutcome, asked: Asked) {
        match outcome {
            ProduceOutcome::Appended {
                epoch,
                copies,
                link,
                runs,
                ..
            } => {
                let led = self.led.as_ref().map(|led| led.epoch);
                assert_eq!(led, Some(*epoch), "I12: acknowledged, and does not lead");
                let last = runs
                    .last()
                    .expect("events that were appended are somewhere");
                let end = last.first.plus(u64::from(last.count) - 1);
                assert!(
                    end <= self.commit,
                    "I8: acknowledged {end} before it is committed"
                );
                let batch = self
                    .log
                    .batch_with(end)
                    .expect("I8: acknowledged and not there");
                assert_eq!(batch.link(), *link, "I8: another batch is at {end}");
                assert!(usize::from(*copies) <= self.config().voters().len());
            }
            ProduceOutcome::OutOfOrder { .. } => {
                let led = self.led.as_ref().map(|led| led.epoch);
                let epoch = led.expect("I14: out of order, and does not lead");
                self.is_confirmed(epoch, asked, "out of order");
            }
            ProduceOutcome::Retry { .. }
            | ProduceOutcome::Indeterminate
            | ProduceOutcome::StorageFull
            | ProduceOutcome::Fenced { .. }
            | ProduceOutcome::TooLarge { .. }
            | ProduceOutcome::Denied
            | ProduceOutcome::UnknownChannel => {}
        }
    }

    /// A majority has acknowledged a beat that was sent after the question, and something of the
    /// epoch is committed.
    fn is_confirmed(&self, epoch: Epoch, asked: Asked, what: &str) {
        let led = self.led.as_ref().filter(|led| led.epoch == epoch);
        let led = led.unwrap_or_else(|| panic!("I12: {what}, and does not lead {epoch}"));
        assert!(
            self.commit >= led.start,
            "I13: {what} before the epoch's first commit"
        );
        let config = self.config();
        let confirmed = led.beats.values().filter(|at| **at >= asked.at).count();
        let own = usize::from(config.contains(self.me));
        assert!(
            confirmed + own >= config.majority(),
            "I13: {what}, confirmed by {confirmed}"
        );
    }

    /// Nothing is forgotten: where nothing is led and nothing held back, all was answered.
    pub(super) fn all_is_answered(&self) {
        assert_eq!(self.answers.waiting(), 0, "requests without an answer");
    }
}
