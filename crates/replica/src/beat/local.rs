//! What this node says of its own channels and of itself.

use std::sync::Arc;

use tetrarch_wire::{
    ChannelUid, Epoch, NodeId, ReplicaRole, VoterId,
    frame::{ChannelBeat, DiskLevel},
};

use super::Keeper;
use crate::Moment;

/// A replica of a channel on another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerReplica {
    /// The node.
    pub node: NodeId,
    /// The voter that the node must be: with another store it is another one.
    pub voter: VoterId,
}

/// How one of this node's channels stands. Its actor keeps this up to date and stamps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalChannel {
    /// The channel.
    pub channel: ChannelUid,
    /// The task that owns it.
    pub keeper: Keeper,
    /// The local role.
    pub role: ReplicaRole,
    /// The highest epoch seen.
    pub epoch_seen: Epoch,
    /// The voter that the actor follows, or this node's own while it leads.
    pub leader: Option<VoterId>,
    /// What a leader says to its followers; `None` in any other role.
    pub row: Option<ChannelBeat>,
    /// The replicas on other nodes.
    pub replicas: Arc<[PeerReplica]>,
}

impl LocalChannel {
    /// Whether it hears and refuses the same as `other`.
    pub(super) fn stands_as(&self, other: &Self) -> bool {
        (self.role, self.epoch_seen, self.leader) == (other.role, other.epoch_seen, other.leader)
    }

    /// The row to say, if the channel is led here.
    pub(super) fn led_row(&self) -> Option<&ChannelBeat> {
        self.row.as_ref().filter(|row| {
            let leads = self.role == ReplicaRole::Leader && row.role == ReplicaRole::Leader;
            leads && row.channel == self.channel
        })
    }
}

/// A channel with its last stamp.
#[derive(Clone, Debug)]
pub(super) struct Stamped {
    pub(super) local: LocalChannel,
    pub(super) at: Moment,
    /// Whether the followers are told that the channel is led here.
    pub(super) told: bool,
}

/// What this node says of itself in every beat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnFacts {
    /// How full its disk is.
    pub disk_level: DiskLevel,
    /// Free bytes on its disk.
    pub free_bytes: u64,
    /// For how long the oldest unfinished write has been waiting, in milliseconds.
    pub wal_stall_ms: u32,
}
