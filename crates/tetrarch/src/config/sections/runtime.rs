//! The threads.

use crate::config::section::Section;

/// The threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Tasks that share the channels; 0 for one per core.
    pub workers: u64,
    /// Threads of the runtime; 0 for one per core.
    pub threads: u64,
}

impl Runtime {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            workers: section.number(
                "workers",
                0,
                0..=256,
                "How many tasks share the channels; 0 means one per core.",
            ),
            threads: section.number(
                "threads",
                0,
                0..=256,
                "Threads that run those tasks and all connections; 0 means one per core. The disk has \
                 threads of its own.",
            ),
        }
    }
}
