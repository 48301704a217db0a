//! Where log lines go, and how they look.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::sections::{Log, LogFormat, LogLevel};

/// Sends this process's log to standard error from now on.
pub fn begin(log: &Log) {
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter(log.level));
    match log.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

/// Our own crates at the level that was asked for; libraries only when they warn.
fn filter(level: LogLevel) -> EnvFilter {
    let (ours, others) = match level {
        LogLevel::Error => ("error", "error"),
        LogLevel::Warn => ("warn", "warn"),
        LogLevel::Info => ("info", "warn"),
        LogLevel::Debug => ("debug", "warn"),
        LogLevel::Trace => ("trace", "debug"),
    };
    EnvFilter::new(format!("{others},tetrarch={ours}"))
}
