//! Bounds on what others may make the node hold.

use crate::config::section::Section;

const MIB: u64 = 1 << 20;

/// Bounds on what others may make the node hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Unacknowledged bytes of one channel.
    pub channel_inflight_bytes: u64,
    /// Unacknowledged batches of one channel.
    pub channel_inflight_batches: u64,
    /// Unacknowledged bytes of all channels.
    pub node_inflight_bytes: u64,
}

impl Limits {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            channel_inflight_bytes: section.bytes(
                "channel_inflight_bytes",
                64 * MIB,
                2 * MIB..=1024 * MIB,
                "Most bytes of one channel that are not acknowledged yet. Beyond it publishers are \
                 told to wait.",
            ),
            channel_inflight_batches: section.number(
                "channel_inflight_batches",
                8_192,
                16..=1_048_576,
                "Most batches of one channel that are not acknowledged yet.",
            ),
            node_inflight_bytes: section.bytes(
                "node_inflight_bytes",
                512 * MIB,
                2 * MIB..=65_536 * MIB,
                "Most bytes of all channels together that are not acknowledged yet.",
            ),
        }
    }
}
