//! What the audience sees while it runs: lines with the time, and on a terminal a bar below them.

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// Cells of the bar, full to empty.
const BAR: &str = "=> ";
/// How it is laid out.
const TEMPLATE: &str = "{prefix:>12} [{bar:40}] {msg}";

/// Where the play is shown. Clones show in the same place.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Stage {
    /// Opens the curtain.
    pub(super) fn open() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1);
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style.progress_chars(BAR));
            }
            bar
        });
        let begun = Instant::now();
        Self { begun, bar }
    }

    /// Says something, with the time since the beginning.
    pub(super) fn say(&self, what: impl Display) {
        let line = format!("{:6.2} s  {what}", self.begun.elapsed().as_secs_f64());
        match &self.bar {
            Some(bar) => bar.println(line),
            None => output::say(line),
        }
    }

    /// Begins to show how far something is.
    pub(super) fn begin(&self, what: &'static str, length: u64) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(what);
            bar.set_length(length);
            bar.set_position(0);
        }
    }

    /// Shows how far it is.
    pub(super) fn progress(&self, position: u64, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(position);
            bar.set_message(message());
        }
    }

    /// Takes the bar away.
    pub(super) fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Milliseconds, for a bar that follows the time.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
