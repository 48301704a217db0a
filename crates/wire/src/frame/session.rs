//! Frames about the connection itself.

use serde::{Deserialize, Serialize};

use super::structure::{Checked, always_valid, check_count, check_labels, check_name, check_text};
use crate::{Boot, ClusterId, DecodeError, NodeId, StoreId, limits};

/// Who speaks. The first frame in each direction; `node` must be the node that the certificate
/// names, and `cluster` must be the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the protocol.
    pub protocol: u16,
    /// The mesh.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
    /// The node's store.
    pub store: StoreId,
    /// The store's current start.
    pub boot: Boot,
    /// Bits of optional features; none is defined yet.
    pub features: u64,
    /// Largest frame body that the sender accepts.
    pub max_frame: u32,
    /// The sender's monotonic clock, in nanoseconds.
    pub mono_now_ns: u64,
    /// The node's name.
    pub name: String,
    /// Where clients and other nodes reach the node, as `host:port`.
    pub address: String,
    /// What the node is labelled with, such as `zone=a`; placement filters by it.
    pub labels: Vec<(String, String)>,
}

impl Hello {
    /// The protocol version of this code.
    pub const PROTOCOL: u16 = 1;
}

impl Checked for Hello {
    fn check(&self) -> Result<(), DecodeError> {
        check_name("node name", &self.name)?;
        check_text("node address", &self.address)?;
        check_labels(&self.labels)
    }
}

/// Why a connection is closed. Also the QUIC application error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CloseCode {
    /// Nothing is wrong.
    Normal = 0,
    /// The other connection of this pair of nodes is kept.
    Duplicate = 1,
    /// The two nodes belong to different meshes.
    WrongCluster = 2,
    /// The hello does not name the node of the certificate.
    WrongNode = 3,
    /// The protocol version is not spoken here.
    WrongVersion = 4,
    /// Bytes that are no frame, or a frame that has no place here.
    Malformed = 5,
    /// A frame that the sender has no right to send.
    Denied = 6,
    /// Something took longer than it may.
    Timeout = 7,
    /// More streams, frames or bytes than are allowed.
    Overload = 8,
    /// The sender stops.
    Shutdown = 9,
}

impl CloseCode {
    /// Every code, in the order of the wire values.
    pub const ALL: [Self; 10] = [
        Self::Normal,
        Self::Duplicate,
        Self::WrongCluster,
        Self::WrongNode,
        Self::WrongVersion,
        Self::Malformed,
        Self::Denied,
        Self::Timeout,
        Self::Overload,
        Self::Shutdown,
    ];

    /// The name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Duplicate => "duplicate",
            Self::WrongCluster => "wrong_cluster",
            Self::WrongNode => "wrong_node",
            Self::WrongVersion => "wrong_version",
            Self::Malformed => "malformed",
            Self::Denied => "denied",
            Self::Timeout => "timeout",
            Self::Overload => "overload",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The sender closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// Why.
    pub code: CloseCode,
    /// For people; at most [`limits::MAX_TEXT_BYTES`].
    pub detail: String,
}

impl Checked for Close {
    fn check(&self) -> Result<(), DecodeError> {
        check_text("detail of a close", &self.detail)
    }
}

/// A request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The request, as numbered by its sender.
    pub request: u64,
    /// Whether and when to try again.
    pub reason: super::RetryReason,
    /// How long to wait before trying again, in milliseconds; `None` if it cannot help.
    pub retry_after_ms: Option<u32>,
    /// Who leads the channel, if that is known.
    pub leader: Option<NodeId>,
    /// For people; at most [`limits::MAX_TEXT_BYTES`].
    pub detail: String,
}

impl Checked for Refused {
    fn check(&self) -> Result<(), DecodeError> {
        check_text("detail of a refusal", &self.detail)
    }
}

/// More frames may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// How many bytes more.
    pub bytes: u64,
}

always_valid!(Credit);

/// The sender stops in good order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    /// For people; at most [`limits::MAX_TEXT_BYTES`].
    pub reason: String,
    /// Nodes to turn to instead; at most [`limits::MAX_SUCCESSORS`].
    pub successors: Vec<NodeId>,
}

impl Checked for Goodbye {
    fn check(&self) -> Result<(), DecodeError> {
        check_text("reason of a goodbye", &self.reason)?;
        check_count(
            "number of successors",
            self.successors.len(),
            limits::MAX_SUCCESSORS,
        )
    }
}
