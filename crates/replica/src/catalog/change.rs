//! What one event of `__meta` did to the catalog. A command that changes nothing is recorded like
//! any other; its typed refusal is what the node that proposed it tells the operator.

use tetrarch_wire::{ChannelUid, DecodeError, NodeId, Seq, frame::ChannelEntry};
use thiserror::Error;

use crate::membership::ReplicaSet;

/// The outcome of one command (protocol §13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogChange {
    /// The channel exists from now on.
    Created(ChannelEntry),
    /// The channel, shown as it is from now on, keeps its events for another time.
    RetentionChanged(ChannelEntry),
    /// The channel, shown as it was, exists no more.
    Deleted(ChannelEntry),
    /// Others are to hold the channel from now on, or no longer.
    Placed(ChannelEntry, ReplicaSet),
    /// A node is to hold no channel from now on, or may hold some again.
    Drained {
        /// The node.
        node: NodeId,
        /// Whether it is to hold none.
        is_drained: bool,
    },
    /// The command changed nothing.
    Refused(CatalogRefusal),
}

/// Why a command changed nothing. The same on every node, since it follows from the log alone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CatalogRefusal {
    /// The event at this seq was folded before.
    #[error("the event at seq {seq} was folded before; the catalog stands at seq {applied}")]
    Repeated {
        /// Seq of the event.
        seq: Seq,
        /// Last seq that the catalog holds.
        applied: Seq,
    },
    /// A channel of that name exists.
    #[error("a channel named '{name}' exists ({})", uid.short())]
    NameTaken {
        /// The name.
        name: String,
        /// The channel that has it.
        uid: ChannelUid,
    },
    /// The uid belongs to a channel that exists or existed. A deleted channel never comes back
    /// under its old uid: its frames may still be on the way.
    #[error("the uid {} was given to a channel before", uid.short())]
    UidTaken {
        /// The uid.
        uid: ChannelUid,
    },
    /// No channel has that uid.
    #[error("no channel has the uid {}", uid.short())]
    UnknownChannel {
        /// The uid.
        uid: ChannelUid,
    },
    /// There are as many channels as a catalog may hold.
    #[error("the catalog holds {limit} channels, the most that it may")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// So many nodes are on their way into the channel or out of it that there is no place for another.
    #[error(
        "too many nodes come to channel '{name}' or leave it: wait until the move under way is complete, or \
         name nodes that hold it"
    )]
    TooManyMoves {
        /// Its name.
        name: String,
    },
    /// Channels of this one's class cannot do that.
    #[error("channel '{name}' is of the class {class}: {why}")]
    ClassForbids {
        /// Its name.
        name: String,
        /// The name of its class.
        class: &'static str,
        /// What it cannot, and what can be done instead.
        why: &'static str,
    },
    /// What is reported as complete is not wanted any more, or is known to be complete.
    #[error("the placement {version} of channel '{name}' is not the one that is under way")]
    Outdated {
        /// Its name.
        name: String,
        /// The version.
        version: u64,
    },
    /// So many nodes are to hold no channel that there is no place for another.
    #[error("{limit} nodes are drained, the most that can be: undrain those that are gone")]
    TooManyDrained {
        /// The limit.
        limit: usize,
    },
    /// The entry breaks a rule.
    #[error("the entry of channel '{name}' breaks a rule: {source}")]
    Invalid {
        /// The name in the entry.
        name: String,
        /// The rule.
        source: DecodeError,
    },
}
