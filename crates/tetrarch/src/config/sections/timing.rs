//! Beats and elections.

use std::time::Duration;

use crate::config::section::Section;

/// Beats and elections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Interval between two beats.
    pub heartbeat: Duration,
    /// Beats missed before a leader counts as silent.
    pub missed: u64,
    /// Most random time added to the election timeout.
    pub election_jitter: Duration,
    /// Shortest slot of an election.
    pub slot_min: Duration,
    /// Longest slot of an election.
    pub slot_max: Duration,
}

impl Timing {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            heartbeat: section.millis(
                "heartbeat_ms",
                150,
                20..=5_000,
                "Interval between two beats to each node. The same on all nodes.",
            ),
            missed: section.number(
                "missed",
                3,
                2..=20,
                "How many beats must be missed before a leader counts as silent. Interval times \
                 count is the time before a failure is noticed.",
            ),
            election_jitter: section.millis(
                "election_jitter_ms",
                150,
                0..=5_000,
                "Most random time added to an election timeout, so that not all stand at once.",
            ),
            slot_min: section.millis(
                "slot_min_ms",
                50,
                1..=5_000,
                "Shortest wait between the stands of two candidates, on a fast network and disk.",
            ),
            slot_max: section.millis(
                "slot_max_ms",
                300,
                1..=10_000,
                "Longest wait between the stands of two candidates, on a slow network or disk.",
            ),
        }
    }

    /// Silence after which a leader is given up.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.heartbeat
            .saturating_mul(u32::try_from(self.missed).unwrap_or(u32::MAX))
    }
}
