//! Beats, elections, handovers and replacement.

use std::time::Duration;

use crate::config::section::Section;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Beats, elections and handovers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Interval between two beats.
    pub heartbeat: Duration,
    /// Beats missed before a leader counts as silent.
    pub missed: u64,
    /// How long an election round may take, and a leader go on without a majority.
    pub election_timeout: Duration,
    /// How long a handover may take.
    pub transfer_timeout: Duration,
    /// How much later each next candidate stands.
    pub slot: Duration,
    /// The most to which that grows.
    pub slot_cap: Duration,
    /// How long a node may be gone before its channels are moved to others, if not for ever.
    pub replace_after: Option<Duration>,
}

impl Timing {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let heartbeat = section.millis(
            "heartbeat_ms",
            150,
            20..=5_000,
            "Interval between two beats to each node. The same on all nodes.",
        );
        let missed = section.number(
            "missed",
            3,
            2..=20,
            "How many beats must be missed before a leader counts as silent. Interval times count \
             is the time before a failure is noticed.",
        );
        let silence = silence(heartbeat, missed);
        let timeout = |section: &mut Section<'_>, name, about| {
            let meaning = "`heartbeat_ms` times `missed`";
            let range = 40..=60_000;
            section
                .optional_millis(name, range, meaning, "= 450", about)
                .unwrap_or(silence)
        };
        let election = "How long a round of an election may take, and how long a leader goes on \
                        without hearing a majority. Up to a third of it is added by chance.";
        let transfer = "How long the handover of a channel may take before its leader keeps it.";
        Self {
            heartbeat,
            missed,
            election_timeout: timeout(section, "election_timeout_ms", election),
            transfer_timeout: timeout(section, "transfer_timeout_ms", transfer),
            slot: section.millis(
                "slot_ms",
                50,
                1..=5_000,
                "How much later each next candidate stands for election, so that they do not all \
                 stand at once.",
            ),
            slot_cap: section.millis(
                "slot_cap_ms",
                300,
                1..=10_000,
                "The most to which `slot_ms` grows when elections follow one another too fast.",
            ),
            replace_after: Some(section.millis(
                "replace_after_ms",
                900_000,
                0..=30 * DAY_MS,
                "How long a node may be gone before its channels are moved to other nodes that satisfy \
                 their filters; 0 for never. The same on all nodes.",
            ))
            .filter(|patience| !patience.is_zero()),
        }
    }

    /// Silence after which a leader is given up.
    #[must_use]
    pub fn silence(&self) -> Duration {
        silence(self.heartbeat, self.missed)
    }
}

fn silence(heartbeat: Duration, missed: u64) -> Duration {
    heartbeat.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX))
}
