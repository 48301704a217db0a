//! Operators' commands and what they show.

use serde::{Deserialize, Serialize};

use super::{ChannelEntry, DiskLevel, Refused};
use crate::{ChannelClass, ChannelUid, Epoch, NodeId, ReplicaRole, Retention, Seq};

/// Which nodes may hold a channel: those that carry all of these labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelFilter {
    /// Names and the values they must have.
    pub require: Vec<(String, String)>,
}

/// A channel to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateChannel {
    /// Its name.
    pub name: String,
    /// Its promise.
    pub class: ChannelClass,
    /// On how many nodes it shall be.
    pub replicas: u8,
    /// Which nodes may hold it.
    pub filter: LabelFilter,
    /// How long it keeps events.
    pub retention: Retention,
}

/// What an operator asks for. Each request is numbered by its sender, within its stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminRequest {
    /// Creates a channel.
    CreateChannel {
        /// Number of the request.
        request: u64,
        /// The channel.
        channel: CreateChannel,
    },
    /// Changes how long a channel keeps events.
    AlterChannel {
        /// Number of the request.
        request: u64,
        /// Name of the channel.
        name: String,
        /// From now on.
        retention: Retention,
    },
    /// Deletes a channel.
    DeleteChannel {
        /// Number of the request.
        request: u64,
        /// Name of the channel.
        name: String,
    },
    /// Lists channels by name.
    ListChannels {
        /// Number of the request.
        request: u64,
        /// Only names after this one.
        after: Option<String>,
        /// At most so many.
        limit: u32,
    },
    /// Makes the channel's leader hand over.
    Relinquish {
        /// Number of the request.
        request: u64,
        /// Name of the channel.
        name: String,
        /// To this node; else to the best.
        to: Option<NodeId>,
    },
    /// Describes nodes and channels.
    Status {
        /// Number of the request.
        request: u64,
        /// Only this channel.
        channel: Option<String>,
        /// Only names after this one.
        after: Option<String>,
        /// At most so many channels.
        limit: u32,
    },
}

impl AdminRequest {
    /// The number of the request.
    #[must_use]
    pub const fn request(&self) -> u64 {
        match self {
            Self::CreateChannel { request, .. }
            | Self::AlterChannel { request, .. }
            | Self::DeleteChannel { request, .. }
            | Self::ListChannels { request, .. }
            | Self::Relinquish { request, .. }
            | Self::Status { request, .. } => *request,
        }
    }
}

/// A node as the asked node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// The node.
    pub id: NodeId,
    /// Its address.
    pub address: String,
    /// Whether it is heard.
    pub alive: bool,
    /// How full its disk is, if known.
    pub disk_level: Option<DiskLevel>,
    /// Free bytes on its disk, if known.
    pub free_bytes: Option<u64>,
}

/// A replica as the asked node sees it. Only facts that it knows; `None` for everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Name of the node.
    pub node: String,
    /// Its role.
    pub role: Option<ReplicaRole>,
    /// Last durable seq.
    pub tail: Option<Seq>,
    /// How many events it is behind the leader.
    pub lag_events: Option<u64>,
    /// For how long it has been behind, in milliseconds.
    pub lag_ms: Option<u64>,
}

/// A channel as the asked node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: ChannelUid,
    /// Its promise.
    pub class: ChannelClass,
    /// How long it keeps events.
    pub retention: Retention,
    /// The highest epoch known.
    pub epoch: Option<Epoch>,
    /// Name of the node that leads.
    pub leader: Option<String>,
    /// First seq that is still there.
    pub log_start: Option<Seq>,
    /// Last seq in the log.
    pub tail: Option<Seq>,
    /// Last committed seq.
    pub commit: Option<Seq>,
    /// Why the channel is halted on the asked node, if it is.
    pub halted: Option<String>,
    /// Its replicas.
    pub replicas: Vec<ReplicaStatus>,
}

/// One page of a status report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusPage {
    /// Name of the asked node.
    pub asked: String,
    /// All nodes.
    pub nodes: Vec<NodeStatus>,
    /// The channels of this page, by name.
    pub channels: Vec<ChannelStatus>,
    /// Ask again after this name for more.
    pub next: Option<String>,
}

/// What became of an operator's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminResponse {
    /// It was carried out.
    Done {
        /// The request.
        request: u64,
    },
    /// The channel exists now.
    Created {
        /// The request.
        request: u64,
        /// The channel.
        channel: ChannelEntry,
    },
    /// Channels by name.
    Channels {
        /// The request.
        request: u64,
        /// This page of them.
        channels: Vec<ChannelEntry>,
        /// Ask again after this name for more.
        next: Option<String>,
    },
    /// A status report.
    Status {
        /// The request.
        request: u64,
        /// This page of it.
        page: StatusPage,
    },
    /// It was not carried out.
    Refused(Refused),
}

impl AdminResponse {
    /// The number of the request.
    #[must_use]
    pub const fn request(&self) -> u64 {
        match self {
            Self::Done { request }
            | Self::Created { request, .. }
            | Self::Channels { request, .. }
            | Self::Status { request, .. } => *request,
            Self::Refused(refused) => refused.request,
        }
    }
}
