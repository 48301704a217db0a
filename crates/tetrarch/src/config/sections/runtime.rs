//! The threads.

use crate::config::section::Section;

/// The threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Threads that drive channels; 0 for one per core.
    pub workers: u64,
    /// Threads that drive connections; 0 for one per core.
    pub threads: u64,
}

impl Runtime {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            workers: section.number(
                "workers",
                0,
                0..=256,
                "Over how many workers the channels are spread; 0 means one per core.",
            ),
            threads: section.number(
                "threads",
                0,
                0..=256,
                "Threads of the network runtime; 0 means one per core.",
            ),
        }
    }
}
