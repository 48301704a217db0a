//! What came of it, for people and for scripts.

use std::fmt::Write;

use serde::Serialize;

use super::audit::Findings;
use crate::error::Error;

/// The result. The names of the JSON fields are part of the interface.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Events published.
    pub published: u64,
    /// Events acknowledged: durable on a majority of nodes.
    pub acknowledged: u64,
    /// Acknowledged events that the worst node does not have.
    pub lost: u64,
    /// Events that the worst node has more than once.
    pub duplicated: u64,
    /// Events that the worst node has in another place than was acknowledged.
    pub reordered: u64,
    /// Events whose content is not what was published, on the worst node.
    pub damaged: u64,
    /// From the SIGKILL of the leader to the first acknowledgement of its successor.
    pub failover_ms: f64,
    /// Acknowledged events a second, the time without a leader included.
    pub events_per_second: f64,
    /// What was found on each node.
    pub nodes: Vec<Copy>,
}

/// One node's copy.
#[derive(Clone, Debug, Serialize)]
pub struct Copy {
    /// The node.
    pub name: String,
    #[serde(flatten)]
    findings: Findings,
}

impl Outcome {
    /// The outcome of a play that was not audited yet.
    pub(super) fn new(published: u64, acknowledged: u64) -> Self {
        Self {
            published,
            acknowledged,
            lost: 0,
            duplicated: 0,
            reordered: 0,
            damaged: 0,
            failover_ms: 0.0,
            events_per_second: 0.0,
            nodes: Vec::new(),
        }
    }

    /// Adds what was found on each node.
    pub(super) fn audited(mut self, found: Vec<(String, Findings)>) -> Self {
        let worst = found
            .iter()
            .fold(Findings::default(), |worst, (_, findings)| {
                worst.worse(*findings)
            });
        self.lost = worst.lost;
        self.duplicated = worst.duplicated;
        self.reordered = worst.reordered;
        self.damaged = worst.damaged;
        self.nodes = found
            .into_iter()
            .map(|(name, findings)| Copy { name, findings })
            .collect();
        self
    }

    /// Whether every promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.nodes.iter().all(|copy| copy.findings.is_clean())
    }

    /// # Errors
    /// If a promise was broken; the error names the counts.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_clean() {
            return Ok(());
        }
        Err(Error::Damaged(format!(
            "a promise was broken: {} lost, {} duplicated, {} reordered, {} damaged",
            self.lost, self.duplicated, self.reordered, self.damaged
        )))
    }

    /// The outcome as text.
    #[must_use]
    pub fn text(&self) -> String {
        let names: Vec<_> = self.nodes.iter().map(|copy| copy.name.as_str()).collect();
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            if writeln!(text, "{name:<16}{value}").is_err() {}
        };
        line("published", grouped(self.published));
        line("acknowledged", grouped(self.acknowledged));
        line("lost", grouped(self.lost));
        line("duplicated", grouped(self.duplicated));
        line("reordered", grouped(self.reordered));
        if self.damaged > 0 {
            line("damaged", grouped(self.damaged));
        }
        line("read back from", names.join(", "));
        let failover = "from SIGKILL to the first acknowledgement of the new leader";
        line("failover", format!("{:.0} ms {failover}", self.failover_ms));
        line(
            "throughput",
            format!("{:.0} events/s, failover included", self.events_per_second),
        );
        text.trim_end().to_owned()
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_node_counts_and_fails_the_demonstration() {
        let one = Findings {
            lost: 2,
            ..Findings::default()
        };
        let other = Findings {
            reordered: 1,
            ..Findings::default()
        };
        let found = vec![("n1".into(), one), ("n2".into(), other)];
        let outcome = Outcome::new(10, 10).audited(found);
        assert_eq!((outcome.lost, outcome.reordered), (2, 1));
        let error = outcome.check().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("2 lost, 0 duplicated, 1 reordered")
        );
    }

    #[test]
    fn a_clean_outcome_passes_and_has_the_promised_fields() {
        let outcome = Outcome::new(3, 3).audited(vec![("n1".into(), Findings::default())]);
        assert!(outcome.check().is_ok());
        let json = serde_json::to_value(&outcome).unwrap();
        for field in [
            "published",
            "acknowledged",
            "lost",
            "duplicated",
            "reordered",
            "failover_ms",
            "events_per_second",
        ] {
            assert!(json[field].is_number(), "{field}");
        }
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
