//! What a metric is called, what it counts in, and what it says: the row of the table from which
//! exposition, documentation, dashboards and alerts are made.

use prometheus_client::{metrics::MetricType, registry};

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the node starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by size.
    Histogram,
    /// Always 1; what it says is in its labels.
    Info,
}

impl Kind {
    /// The name in the documentation and in the exposition.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }

    /// What the exposition puts behind the name of a family of this kind.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram => "",
        }
    }

    pub(super) const fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
            Self::Info => MetricType::Info,
        }
    }
}

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things that are counted.
    None,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The name in the documentation; empty for things that are counted.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
        }
    }

    pub(super) const fn registered(self) -> Option<registry::Unit> {
        match self {
            Self::None => None,
            Self::Seconds => Some(registry::Unit::Seconds),
            Self::Bytes => Some(registry::Unit::Bytes),
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The name, with unit and suffix, as it is asked for.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it is measured in.
    pub unit: Unit,
    /// The names of its labels, in order.
    pub labels: &'static [&'static str],
    /// What it says, in one or two sentences.
    pub help: &'static str,
}

impl Definition {
    /// The name without what the exposition adds by itself: the suffix of the kind and the unit.
    pub(super) fn stem(&self) -> &'static str {
        let name = without(self.name, self.kind.suffix());
        match self.unit {
            Unit::None => name,
            Unit::Seconds | Unit::Bytes => without(without(name, self.unit.name()), "_"),
        }
    }
}

fn without(name: &'static str, suffix: &str) -> &'static str {
    name.strip_suffix(suffix).unwrap_or(name)
}

/// Metrics that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// The heading in the documentation.
    pub title: &'static str,
    /// The metrics, in the order in which they are shown.
    pub metrics: &'static [Definition],
}
