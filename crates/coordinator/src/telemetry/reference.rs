//! The table of metrics as documentation.

use std::fmt::Write as _;

use tetrarch_wire::frame::RetryReason;

use super::{
    definition::Definition,
    labels::{
        Certificate, ConnectionKind, Direction, ElectionOutcome, Label, Outcome, ProduceCode,
        Queue, StoreErrorKind, StoreState, TrafficLane,
    },
    limit::{OTHER, SeriesLimit},
    table::{self, TOPICS},
};

/// The reference of all metrics, as `docs/metrics.md` holds it.
#[must_use]
pub fn reference_markdown() -> String {
    let mut out = introduction();
    for topic in TOPICS {
        out += &format!("\n## {}\n\n", topic.title);
        out += "| name | type | labels | what it says |\n|---|---|---|---|\n";
        for metric in topic.metrics {
            out += &row(metric);
        }
    }
    out += "\n## Values of labels\n\n| metric | label | values |\n|---|---|---|\n";
    for (metric, label, values) in closed_labels() {
        out += &format!("| `{}` | `{label}` | {values} |\n", metric.name);
    }
    out
}

fn introduction() -> String {
    let mut out = String::from(
        "# Metrics\n\n\
         <!-- Generated from the table in crates/coordinator/src/telemetry/table.rs. -->\n\n\
         Each node serves these at `/metrics` on its admin address, in the OpenMetrics text format.\n\
         Counters start at 0 when the node starts. What a node does not know is absent, never 0.\n\n",
    );
    let limit = SeriesLimit::default();
    let written = writeln!(
        out,
        "Channels have series of their own if their name matches a pattern (default `{}`), up to a \
         number of\nchannels (default {}); all others share the series of `channel=\"{OTHER}\"`. \
         Which of the two it is\nis settled when a channel is opened on the node. Its series are \
         gone when it is closed.",
        limit.pattern.as_str(),
        limit.max_channels
    );
    debug_assert!(written.is_ok(), "a string takes everything");
    out
}

fn row(metric: &Definition) -> String {
    let labels: Vec<String> = metric
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    format!(
        "| `{}` | {} | {} | {} |\n",
        metric.name,
        metric.kind.name(),
        labels.join(", "),
        metric.help
    )
}

fn closed_labels() -> Vec<(&'static Definition, &'static str, String)> {
    vec![
        (
            &table::CERTIFICATE_NOT_AFTER,
            "certificate",
            values::<Certificate>(),
        ),
        (&table::CERTIFICATE_RELOADS, "outcome", values::<Outcome>()),
        (&table::QUEUE_DEPTH, "queue", values::<Queue>()),
        (&table::ELECTIONS, "outcome", values::<ElectionOutcome>()),
        (&table::PRODUCE, "code", values::<ProduceCode>()),
        (&table::REQUESTS_REFUSED, "reason", values::<RetryReason>()),
        (&table::STORE_STATE, "state", values::<StoreState>()),
        (&table::STORE_ERRORS, "kind", values::<StoreErrorKind>()),
        (&table::CONNECTIONS, "kind", values::<ConnectionKind>()),
        (&table::TRANSPORT_BYTES, "lane", values::<TrafficLane>()),
        (&table::TRANSPORT_BYTES, "direction", values::<Direction>()),
    ]
}

fn values<L: Label>() -> String {
    let names: Vec<String> = L::ALL
        .iter()
        .map(|value| format!("`{}`", value.name()))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_in_the_reference_and_every_described_label_exists() {
        let text = reference_markdown();
        for metric in table::metrics() {
            assert!(text.contains(&format!("| `{}` | {}", metric.name, metric.kind.name())));
        }
        for (metric, label, _) in closed_labels() {
            assert!(
                metric.labels.contains(&label),
                "{} has no {label}",
                metric.name
            );
        }
    }
}
