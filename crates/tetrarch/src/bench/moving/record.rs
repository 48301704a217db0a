//! What became of each operation. All are kept, because only afterwards it is known which of them
//! were under way during the move.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;
use tetrarch_wire::Seq;

use crate::bench::tally;
use crate::error::Error;

/// Events that were handed over together, and acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    /// Whose.
    pub(super) producer: u32,
    /// The number of the first of them.
    pub(super) first: u32,
    /// How many.
    pub(super) events: u32,
    /// When they were handed over.
    pub(super) begun: Instant,
    /// When they were acknowledged.
    pub(super) ended: Instant,
}

/// Everything that happened.
#[derive(Debug)]
pub(super) struct Happened {
    /// What was acknowledged.
    pub(super) operations: Vec<Operation>,
    /// The last acknowledged event.
    pub(super) last: Seq,
    /// On how many stores the least durable acknowledged event is.
    pub(super) copies: u8,
    /// Operations that were not acknowledged.
    pub(super) failed: u64,
    /// Why the first of them was not.
    pub(super) first_failure: Option<String>,
}

/// What happened, shared by all who publish.
#[derive(Debug)]
pub(super) struct Record(Mutex<Happened>);

impl Default for Record {
    fn default() -> Self {
        Self(Mutex::new(Happened {
            operations: Vec::new(),
            last: Seq::ZERO,
            copies: u8::MAX,
            failed: 0,
            first_failure: None,
        }))
    }
}

impl Record {
    pub(super) fn acknowledged(&self, operation: Operation, last: Seq, copies: u8) {
        let mut happened = self.lock();
        happened.operations.push(operation);
        happened.last = happened.last.max(last);
        happened.copies = happened.copies.min(copies);
    }

    pub(super) fn failed(&self, why: &impl ToString) {
        let mut happened = self.lock();
        happened.failed += 1;
        happened
            .first_failure
            .get_or_insert_with(|| why.to_string());
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Happened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From when on it counts, when the move was ordered, and when it was complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    pub(super) begun: Instant,
    pub(super) ordered: Instant,
    pub(super) moved: Instant,
}

/// Latencies of events before and during the move.
#[derive(Debug)]
pub(super) struct Latencies {
    pub(super) before: Histogram<u64>,
    pub(super) during: Histogram<u64>,
}

impl Spans {
    /// An operation counts as during the move if any of its time was, and as before it if all of it
    /// was within the time before.
    pub(super) fn latencies(&self, operations: &[Operation]) -> Result<Latencies, Error> {
        let mut latencies = Latencies {
            before: tally::times()?,
            during: tally::times()?,
        };
        for operation in operations {
            let times = if operation.ended >= self.ordered && operation.begun < self.moved {
                &mut latencies.during
            } else if operation.begun >= self.begun && operation.ended < self.ordered {
                &mut latencies.before
            } else {
                continue;
            };
            let time = operation.ended.saturating_duration_since(operation.begun);
            tally::record(times, time, operation.events.into());
        }
        Ok(latencies)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_under_way_when_the_move_began_or_ended_counts_as_during_it() {
        let origin = Instant::now();
        let at = |millis| origin + Duration::from_millis(millis);
        let spans = Spans {
            begun: at(100),
            ordered: at(200),
            moved: at(300),
        };
        let operation = |begun, ended| Operation {
            producer: 0,
            first: 0,
            events: 1,
            begun: at(begun),
            ended: at(ended),
        };
        let counted = |begun, ended| {
            let latencies = spans.latencies(&[operation(begun, ended)]).unwrap();
            (latencies.before.len(), latencies.during.len())
        };
        assert_eq!(counted(90, 110), (0, 0), "the warm-up");
        assert_eq!(counted(100, 199), (1, 0));
        assert_eq!(counted(199, 200), (0, 1));
        assert_eq!(counted(250, 260), (0, 1));
        assert_eq!(counted(299, 900), (0, 1));
        assert_eq!(counted(150, 900), (0, 1));
        assert_eq!(counted(300, 310), (0, 0));
    }
}
