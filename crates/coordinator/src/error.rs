//! Why a node does not start or stop as it should.

use std::time::Duration;

use tetrarch_log::LogError;
use tetrarch_wire::{ChannelUid, DecodeError, NodeId};
use thiserror::Error;

use crate::transport::TransportError;

/// What went wrong with a node as a whole. Each says what to do about it.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The data directory cannot be used.
    #[error("the data directory cannot be opened: {0}")]
    Store(#[from] LogError),
    /// The certificate is not a node's.
    #[error(
        "the certificate names {found}, which is no node: use one made by 'tetrarch cert node'"
    )]
    NotANode {
        /// The identity in the certificate.
        found: String,
    },
    /// The data directory was formatted for another node.
    #[error(
        "the data directory belongs to node '{found}' ({found_id}), the certificate to \
         '{expected}': start each node with its own data directory"
    )]
    WrongNode {
        /// The node that the directory was formatted for.
        found: String,
        /// Its id.
        found_id: NodeId,
        /// The node in the certificate.
        expected: String,
    },
    /// The genesis in the data directory cannot be read.
    #[error(
        "the genesis in the data directory is damaged: {0}; restore it from another node's copy"
    )]
    Genesis(DecodeError),
    /// The node cannot listen or connect.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[source] std::io::Error),
    /// A channel's log cannot be read back at the start.
    #[error("channel {channel} cannot be read back: {why}")]
    Recovery {
        /// The channel.
        channel: ChannelUid,
        /// What was met.
        why: String,
    },
    /// The node has not found its mesh in time.
    #[error("the node is not ready after {waited:?}: {missing}")]
    NotReady {
        /// How long was waited.
        waited: Duration,
        /// What is missing.
        missing: String,
    },
    /// There is no identity to connect with.
    #[error("the node was configured without a client identity, so it has no client")]
    NoClientIdentity,
    /// The embedded client cannot connect.
    #[error("the node's own client cannot connect: {0}")]
    Client(#[from] tetrarch_client::Error),
    /// The store was lost while the node ran.
    #[error(
        "the store failed and nothing more can be made durable: look at the disk's health, then \
         start the node again"
    )]
    StoreLost,
}
