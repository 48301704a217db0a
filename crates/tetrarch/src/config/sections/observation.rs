//! What is measured and logged.

use crate::config::section::Section;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Which channels have series of their own.
    pub channel_pattern: String,
    /// How many channels have series of their own at most.
    pub channels_max: u64,
}

impl Metrics {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            channel_pattern: section.text(
                "channel_pattern",
                "*",
                "Which channels have series of their own; `*` stands for any text, `?` for \
                 any one character. All others share \
                 the channel `__other__`.",
            ),
            channels_max: section.number(
                "channels_max",
                200,
                0..=100_000,
                "How many channels have series of their own at most, whatever the pattern says.",
            ),
        }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Which log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What is lost or halted.
    Error,
    /// What an operator should look at.
    Warn,
    /// Changes of role, connections, start and stop.
    Info,
    /// Every decision.
    Debug,
    /// Every frame.
    Trace,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines are written.
    pub level: LogLevel,
}

impl Log {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            format: section.choice(
                "format",
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
                "How a log line looks. The log goes to standard error.",
            ),
            level: section.choice(
                "level",
                &[
                    ("info", LogLevel::Info),
                    ("error", LogLevel::Error),
                    ("warn", LogLevel::Warn),
                    ("debug", LogLevel::Debug),
                    ("trace", LogLevel::Trace),
                ],
                "Which lines are logged: this level and the graver ones.",
            ),
        }
    }
}
