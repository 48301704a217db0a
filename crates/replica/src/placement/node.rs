//! A node as placement sees it, and how much it wants a channel.

use tetrarch_wire::{
    ChannelUid, Link, Voter,
    frame::{DiskLevel, LabelFilter},
};

/// A node that is alive, and what placement knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementNode {
    /// The node and the store it holds now.
    pub voter: Voter,
    /// What it is labelled with.
    pub labels: Vec<(String, String)>,
    /// How full its disk is. From `Low` on it takes no new channel (protocol §12).
    pub disk_level: DiskLevel,
    /// It is to hold no channel.
    pub is_drained: bool,
}

impl PlacementNode {
    /// The value of the label `name`, if the node carries it.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| label == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the node carries every label that `filter` asks for.
    #[must_use]
    pub fn satisfies(&self, filter: &LabelFilter) -> bool {
        filter
            .require
            .iter()
            .all(|required| self.labels.contains(required))
    }

    /// Whether the node's disk has room for a new channel.
    pub(super) const fn has_room(&self) -> bool {
        match self.disk_level {
            DiskLevel::Green => true,
            DiskLevel::Low | DiskLevel::Critical | DiskLevel::Full => false,
        }
    }

    /// The node's weight for a channel: a hash of both, so that it is the same wherever it is
    /// computed and independent of all other nodes. It is the node that is weighed and not its
    /// store, so that a node whose disk was replaced gets back what it had.
    pub(super) fn weight(&self, channel: ChannelUid) -> u64 {
        let mut input = [0; ChannelUid::LEN + 16];
        input[..ChannelUid::LEN].copy_from_slice(channel.as_bytes());
        input[ChannelUid::LEN..].copy_from_slice(self.voter.node.as_bytes());
        let hash = u128::from_le_bytes(*Link::genesis(&input).as_bytes());
        // The upper half of a hash is as good as any.
        (hash >> 64) as u64
    }
}
