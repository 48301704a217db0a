//! What clients ask for, and how soon they have it.

use std::{fmt, time::Duration};

use tetrarch_wire::frame::RetryReason;

use super::{
    cell::{Count, Each},
    histogram::{self, Histogram},
    labels::{Label as _, ProduceCode},
    page::{Page, Show},
    table,
};

/// The measurements of produce requests.
#[derive(Debug)]
pub struct ClientTelemetry {
    produce: Each<ProduceCode, Count>,
    refused: Each<RetryReason, Count>,
    commit: Histogram,
}

impl ClientTelemetry {
    pub(super) fn new() -> Self {
        Self {
            produce: Each::default(),
            refused: Each::default(),
            commit: Histogram::new(histogram::LATENCY),
        }
    }

    /// A produce request was answered: with a
    /// [`ProduceOutcome`](tetrarch_wire::frame::ProduceOutcome), or with a reason to try again.
    pub fn produced(&self, code: impl Into<ProduceCode>) {
        self.produce.of(code.into()).add(1);
    }

    /// Another request was refused, or a subscription ended.
    pub fn refused(&self, reason: RetryReason) {
        self.refused.of(reason).add(1);
    }

    /// What a produce request asked for was committed, so long after it arrived.
    pub fn committed(&self, after: Duration) {
        self.commit.observe_time(after);
    }
}

impl Show for ClientTelemetry {
    fn show(&self, page: &mut Page<'_>) -> fmt::Result {
        page.metric(&table::PRODUCE, |series| {
            let mut codes = self.produce.iter();
            codes.try_for_each(|(code, count)| series.counter(&[code.name()], count.get()))
        })?;
        page.metric(&table::REQUESTS_REFUSED, |series| {
            let mut reasons = self.refused.iter();
            reasons.try_for_each(|(reason, count)| series.counter(&[reason.name()], count.get()))
        })?;
        page.metric(&table::COMMIT_LATENCY, |series| {
            series.histogram(&[], &self.commit)
        })
    }
}
