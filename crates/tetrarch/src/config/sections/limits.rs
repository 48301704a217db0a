//! Bounds on what others may make the node hold.

use crate::config::section::Section;

const MIB: u64 = 1 << 20;

/// Bounds on what others may make the node hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Unacknowledged bytes of one channel.
    pub channel_unacked_bytes: u64,
    /// Unacknowledged batches of one channel.
    pub channel_unacked_batches: u64,
    /// Unacknowledged bytes of all channels.
    pub node_unacked_bytes: u64,
    /// Bytes of recent batches kept in memory for one channel.
    pub channel_recent_bytes: u64,
    /// Bytes of recent batches kept in memory for all channels.
    pub node_recent_bytes: u64,
    /// Batches of one producer remembered for deduplication.
    pub producer_window: u64,
    /// Producers remembered for one channel.
    pub channel_producers: u64,
}

impl Limits {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            channel_unacked_bytes: section.bytes(
                "channel_unacked_bytes",
                64 * MIB,
                2 * MIB..=1024 * MIB,
                "Most bytes of one channel that are not acknowledged yet. Beyond it publishers are \
                 told to wait.",
            ),
            channel_unacked_batches: section.number(
                "channel_unacked_batches",
                8_192,
                16..=1_048_576,
                "Most batches of one channel that are not acknowledged yet.",
            ),
            node_unacked_bytes: section.bytes(
                "node_unacked_bytes",
                512 * MIB,
                2 * MIB..=65_536 * MIB,
                "Most bytes of all channels together that are not acknowledged yet.",
            ),
            channel_recent_bytes: section.bytes(
                "channel_recent_bytes",
                16 * MIB,
                2 * MIB..=4096 * MIB,
                "Most bytes of a channel's recent batches that are kept in memory, for followers \
                 and readers that are only a little behind.",
            ),
            node_recent_bytes: section.bytes(
                "node_recent_bytes",
                64 * MIB,
                2 * MIB..=65_536 * MIB,
                "About how many bytes of recent batches are kept in memory for all channels \
                 together. Channels that have any share it.",
            ),
            producer_window: section.number(
                "producer_window",
                1_024,
                16..=65_536,
                "How many batches of one producer are remembered, to recognise a repeated one.",
            ),
            channel_producers: section.number(
                "channel_producers",
                100_000,
                16..=10_000_000,
                "How many producers of one channel are remembered.",
            ),
        }
    }
}
