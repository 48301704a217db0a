//! The result of a move under load, for people and for scripts.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::load::Load;
use super::read_back::Found;
use super::record::{Record, Spans};
use super::{MovePlan, REPLICAS, Route};
use crate::bench::report::{durability, float, micros_as_millis, millis, rounded};
use crate::error::Error;

/// What a move did to those who publish. The names of the JSON fields are part of the interface.
#[derive(Clone, Debug, Serialize)]
pub struct MoveReport {
    /// Who published how.
    pub load: String,
    /// What was moved.
    pub moved: String,
    /// Megabytes of payload in the channel before anything counted.
    pub preloaded_megabytes: f64,
    /// Before the move was ordered.
    pub before: Span,
    /// From the order to its completion.
    pub during: Span,
    /// Latencies during the move divided by those before it.
    pub ratio: Times,
    /// Operations that were not acknowledged.
    pub failed: u64,
    /// Why the first of them was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// Events that were acknowledged, those from before included.
    pub acknowledged: u64,
    /// Those of them that could not be read afterwards.
    pub lost: u64,
    /// Events that were read more than once.
    pub repeated: u64,
    /// Events that were read in another order than they were published in.
    pub misplaced: u64,
    /// What an acknowledgement was worth.
    pub durability: String,
}

/// What was measured in a part of the time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Span {
    seconds: f64,
    events_per_second: f64,
    /// From handing an event over to its acknowledgement.
    ack_ms: Times,
}

/// Times, or ratios of times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Times {
    p50: f64,
    p99: f64,
    max: f64,
}

impl MoveReport {
    pub(super) fn new(
        plan: &MovePlan,
        load: Load,
        route: &Route,
        record: &Record,
        spans: Spans,
        found: Found,
    ) -> Result<Self, Error> {
        let happened = record.lock();
        let latencies = spans.latencies(&happened.operations)?;
        let before = Span::new(&latencies.before, spans.ordered - spans.begun);
        let during = Span::new(&latencies.during, spans.moved - spans.ordered);
        Ok(Self {
            load: load.to_string(),
            moved: route.to_string(),
            preloaded_megabytes: rounded(float(plan.preload) / 1e6, 0),
            ratio: during.ack_ms.over(&before.ack_ms),
            before,
            during,
            failed: happened.failed,
            first_failure: happened.first_failure.clone(),
            acknowledged: found.acknowledged,
            lost: found.lost,
            repeated: found.repeated,
            misplaced: found.misplaced,
            durability: durability(happened.copies, REPLICAS),
        })
    }

    /// Nothing may fail, and everything acknowledged must be there, once and in its order.
    ///
    /// # Errors
    /// If that is not so.
    pub fn refuse_failures(&self) -> Result<(), Error> {
        if self.failed > 0 {
            return Err(Error::Unacknowledged(self.failed));
        }
        if (self.lost, self.repeated, self.misplaced) == (0, 0, 0) {
            return Ok(());
        }
        let (lost, repeated, misplaced) = (self.lost, self.repeated, self.misplaced);
        Err(Error::Damaged(format!(
            "of the acknowledged events {lost} are lost, {repeated} repeated and {misplaced} misplaced"
        )))
    }
}

impl Span {
    fn new(times: &Histogram<u64>, length: Duration) -> Self {
        let seconds = length.as_secs_f64();
        Self {
            seconds: rounded(seconds, 1),
            events_per_second: rounded(float(times.len()) / seconds, 0),
            ack_ms: Times {
                p50: millis(times, 0.5),
                p99: millis(times, 0.99),
                max: micros_as_millis(times.max()),
            },
        }
    }
}

impl Times {
    fn over(&self, other: &Self) -> Self {
        Self {
            p50: rounded(self.p50 / other.p50, 1),
            p99: rounded(self.p99 / other.p99, 1),
            max: rounded(self.max / other.max, 1),
        }
    }
}

impl fmt::Display for MoveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}; {}, {} MB in the channel before",
            self.load, self.moved, self.preloaded_megabytes
        )?;
        writeln!(f, "  before         {}", self.before)?;
        writeln!(f, "  during         {}", self.during)?;
        let ratio = &self.ratio;
        writeln!(
            f,
            "  ratio          p50 {:.1}   p99 {:.1}   max {:.1}",
            ratio.p50, ratio.p99, ratio.max
        )?;
        writeln!(
            f,
            "  events         {} acknowledged, {} lost, {} repeated, {} misplaced, {} operations failed",
            self.acknowledged, self.lost, self.repeated, self.misplaced, self.failed
        )?;
        if let Some(why) = &self.first_failure {
            writeln!(f, "  first failure  {why}")?;
        }
        write!(f, "  durability     {}", self.durability)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = &self.ack_ms;
        write!(
            f,
            "p50 {:.3} ms   p99 {:.3} ms   max {:.3} ms   ({:.0} events/s for {:.1} s)",
            times.p50, times.p99, times.max, self.events_per_second, self.seconds
        )
    }
}
