//! The result of a measurement, for people and for scripts.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::plan::Load;
use super::tally::Tally;
use super::usage::Usage;

/// What was consumed between two points in time.
#[derive(Clone, Debug)]
pub(super) struct Consumed {
    pub(super) nodes_before: Vec<(String, Option<Usage>)>,
    pub(super) nodes_after: Vec<(String, Option<Usage>)>,
    pub(super) client_before: Usage,
    pub(super) client_after: Usage,
}

/// The result of one load. The names of the JSON fields are part of the interface.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Acknowledged events a second.
    pub events_per_second: f64,
    /// Acknowledged payload, in millions of bytes a second.
    pub megabytes_per_second: f64,
    /// Events that were not acknowledged.
    pub failed: u64,
    /// Why the first of them was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// What an acknowledgement was worth.
    pub durability: String,
    /// From handing an event over to its acknowledgement.
    pub ack_ms: AckTimes,
    /// From handing an event over to its delivery to a subscriber.
    pub delivery_ms: DeliveryTimes,
    /// Events that were delivered to the subscribers while it counted.
    pub delivered: u64,
    /// For how long it counted.
    pub seconds: f64,
    /// What each node consumed meanwhile.
    pub nodes: Vec<NodeUse>,
    /// Processor time of the producers and subscribers, which are all in this process.
    pub client_cpu_seconds: f64,
    /// The load.
    pub load: Load,
}

/// Times to acknowledgement, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AckTimes {
    p50: f64,
    p99: f64,
    p999: f64,
}

/// Times to delivery, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DeliveryTimes {
    p50: f64,
    p99: f64,
}

/// What a node consumed; `null` where it is not ours to know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeUse {
    pub(super) name: String,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) rss_bytes: Option<u64>,
}

impl Report {
    /// Sums up what was counted.
    pub(super) fn new(load: Load, tally: &Tally, replicas: usize, consumed: Consumed) -> Self {
        let seconds = tally.window().length().as_secs_f64();
        let counts = tally.lock();
        let per_second = float(counts.acknowledged) / seconds;
        Self {
            events_per_second: rounded(per_second, 0),
            megabytes_per_second: rounded(per_second * float(load.size as u64) / 1e6, 1),
            failed: counts.failed,
            first_failure: counts.first_failure.clone(),
            durability: durability(counts.copies, replicas),
            ack_ms: AckTimes {
                p50: millis(&counts.acks, 0.5),
                p99: millis(&counts.acks, 0.99),
                p999: millis(&counts.acks, 0.999),
            },
            delivery_ms: DeliveryTimes {
                p50: millis(&counts.deliveries, 0.5),
                p99: millis(&counts.deliveries, 0.99),
            },
            delivered: counts.deliveries.len(),
            seconds,
            client_cpu_seconds: cpu(consumed.client_before, consumed.client_after),
            nodes: consumed.nodes(),
            load,
        }
    }
}

impl Consumed {
    /// What each node consumed in between.
    pub(super) fn nodes(self) -> Vec<NodeUse> {
        let pairs = self.nodes_before.into_iter().zip(self.nodes_after);
        pairs
            .map(|((name, before), (_, after))| NodeUse {
                name,
                cpu_seconds: before.zip(after).map(|(before, after)| cpu(before, after)),
                rss_bytes: after.map(|after| after.rss_bytes),
            })
            .collect()
    }
}

/// What the least durable acknowledgement was worth.
pub(super) fn durability(copies: u8, replicas: usize) -> String {
    match usize::from(copies) {
        255 => "nothing was acknowledged".to_owned(),
        copies if 2 * copies > replicas => format!(
            "acknowledged on a majority of disks ({copies} of {replicas}) after fsync, TLS on"
        ),
        copies => format!("only {copies} of {replicas} disks after fsync, TLS on"),
    }
}

fn cpu(before: Usage, after: Usage) -> f64 {
    let used = after.cpu.saturating_sub(before.cpu);
    rounded(used.as_secs_f64(), 2)
}

/// A quantile in milliseconds.
pub(super) fn millis(times: &Histogram<u64>, quantile: f64) -> f64 {
    micros_as_millis(times.value_at_quantile(quantile))
}

pub(super) fn micros_as_millis(micros: u64) -> f64 {
    let time = Duration::from_micros(micros);
    rounded(time.as_secs_f64() * 1_000.0, 3)
}

pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of a measurement are far below 2^53"
)]
pub(super) const fn float(count: u64) -> f64 {
    count as f64
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ack, delivery) = (&self.ack_ms, &self.delivery_ms);
        writeln!(f, "{}", self.load.title())?;
        writeln!(
            f,
            "  throughput     {:.0} events/s, {} MB/s, {} failed",
            self.events_per_second, self.megabytes_per_second, self.failed
        )?;
        if let Some(why) = &self.first_failure {
            writeln!(f, "  first failure  {why}")?;
        }
        writeln!(
            f,
            "  to ack         p50 {:.3} ms   p99 {:.3} ms   p99.9 {:.3} ms",
            ack.p50, ack.p99, ack.p999
        )?;
        writeln!(
            f,
            "  to delivery    p50 {:.3} ms   p99 {:.3} ms   ({} delivered)",
            delivery.p50, delivery.p99, self.delivered
        )?;
        writeln!(f, "  durability     {}", self.durability)?;
        write!(f, "  CPU, memory    ")?;
        for node in &self.nodes {
            write!(f, "{node}, ")?;
        }
        write!(
            f,
            "client {} s, in {:.1} s",
            self.client_cpu_seconds, self.seconds
        )
    }
}

impl fmt::Display for NodeUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.cpu_seconds, self.rss_bytes) {
            (Some(cpu), Some(rss)) => write!(f, "{} {cpu} s {} MB", self.name, rss / 1_000_000),
            _ => write!(f, "{} unknown", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durability_says_what_the_least_acknowledgement_was_worth() {
        assert!(durability(2, 3).contains("a majority of disks (2 of 3)"));
        assert!(durability(1, 3).starts_with("only 1 of 3"));
        assert_eq!(durability(u8::MAX, 3), "nothing was acknowledged");
    }

    #[test]
    fn a_node_of_others_is_unknown() {
        let node = NodeUse {
            name: "n1".into(),
            cpu_seconds: None,
            rss_bytes: None,
        };
        assert_eq!(node.to_string(), "n1 unknown");
        let json = serde_json::to_value(&node).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"name": "n1", "cpu_seconds": null, "rss_bytes": null})
        );
    }

    #[test]
    fn values_are_rounded_to_what_they_are_worth() {
        assert!((rounded(1.2345, 3) - 1.235).abs() < 1e-9);
        assert!((rounded(1234.5, 0) - 1235.0).abs() < 1e-9);
    }
}
