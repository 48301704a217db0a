//! Operators' commands and what they show.

use serde::{Deserialize, Serialize};

use super::{
    ChannelEntry, DiskLevel, Refused,
    structure::{Checked, check_count, check_labels, check_name, check_text},
};
use crate::{
    ChannelClass, ChannelUid, DecodeError, Epoch, NodeId, ReplicaRole, Retention, Seq, limits,
};

/// Which nodes may hold a channel: those that carry all of these labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelFilter {
    /// Names and the values they must have.
    pub require: Vec<(String, String)>,
}

impl Checked for LabelFilter {
    fn check(&self) -> Result<(), DecodeError> {
        check_labels(&self.require)
    }
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

impl Checked for CreateChannel {
    fn check(&self) -> Result<(), DecodeError> {
        check_name("channel name", &self.name)?;
        self.filter.check()
    }
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
    /// Moves a channel: these nodes are to hold it, and no others.
    MoveChannel {
        /// Number of the request.
        request: u64,
        /// Name of the channel.
        name: String,
        /// The nodes.
        nodes: Vec<NodeId>,
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
    /// Makes a node hold no channel any more, or lets it hold some again.
    Drain {
        /// Number of the request.
        request: u64,
        /// The node.
        node: NodeId,
        /// Whether it is to hold none.
        is_drained: bool,
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
            | Self::MoveChannel { request, .. }
            | Self::Status { request, .. }
            | Self::Drain { request, .. } => *request,
        }
    }
}

impl Checked for AdminRequest {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::CreateChannel { channel, .. } => channel.check(),
            Self::AlterChannel { name, .. }
            | Self::DeleteChannel { name, .. }
            | Self::Relinquish { name, .. } => check_name("channel name", name),
            Self::MoveChannel { name, nodes, .. } => {
                check_name("channel name", name)?;
                check_count("number of nodes", nodes.len(), limits::MAX_VOTERS)
            }
            Self::ListChannels { after, .. } => check_channel_names([after]),
            Self::Status { channel, after, .. } => check_channel_names([channel, after]),
            Self::Drain { .. } => Ok(()),
        }
    }
}

fn check_channel_names<const N: usize>(names: [&Option<String>; N]) -> Result<(), DecodeError> {
    names
        .into_iter()
        .flatten()
        .try_for_each(|name| check_name("channel name", name))
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
    /// Whether it is to hold no channel.
    pub is_drained: bool,
}

impl Checked for NodeStatus {
    fn check(&self) -> Result<(), DecodeError> {
        check_name("node name", &self.name)?;
        check_text("node address", &self.address)
    }
}

/// Whether a replica comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moving {
    /// It is to vote, and does not yet.
    In,
    /// It is not to hold the channel any more, and does so until others do.
    Out,
}

/// A replica as the asked node sees it. Only facts that it knows; `None` for everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Name of the node.
    pub node: String,
    /// Its role.
    pub role: Option<ReplicaRole>,
    /// Whether it comes or goes.
    pub moving: Option<Moving>,
    /// Last durable seq.
    pub tail: Option<Seq>,
    /// How many events it is behind the leader.
    pub lag_events: Option<u64>,
    /// For how long it has been behind, in milliseconds.
    pub lag_ms: Option<u64>,
}

/// Which placement of a channel it is, and whether it is carried out. Of two answers the greater one is
/// newer: no node goes back in it but by starting again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Placement {
    /// Counts the placements of the channel, from 0 for the one that it was created with.
    pub version: u64,
    /// Whether the voters are those that are wanted, and nobody else holds the channel.
    pub is_settled: bool,
}

impl Placement {
    /// Whether nobody waits for `ordered` any more: it is carried out, or another one took its place.
    #[must_use]
    pub fn is_past(self, ordered: Self) -> bool {
        let carried_out = Self {
            is_settled: true,
            ..ordered
        };
        self >= carried_out
    }
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
    /// Why the asked node does not vote in it, if it may have forgotten what it promised.
    pub limbo: Option<String>,
    /// How far the placement is that the asked node knows.
    pub placement: Placement,
    /// Its replicas.
    pub replicas: Vec<ReplicaStatus>,
}

impl Checked for ChannelStatus {
    fn check(&self) -> Result<(), DecodeError> {
        check_name("channel name", &self.name)?;
        if let Some(leader) = &self.leader {
            check_name("node name", leader)?;
        }
        if let Some(halted) = &self.halted {
            check_text("reason of a halt", halted)?;
        }
        if let Some(limbo) = &self.limbo {
            check_text("reason of limbo", limbo)?;
        }
        check_count(
            "number of replicas",
            self.replicas.len(),
            limits::MAX_HOLDERS,
        )?;
        self.replicas
            .iter()
            .try_for_each(|replica| check_name("node name", &replica.node))
    }
}

/// One page of a status report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusPage {
    /// Name of the asked node.
    pub asked: String,
    /// All nodes; at most [`limits::MAX_NODES`].
    pub nodes: Vec<NodeStatus>,
    /// The channels of this page, by name; at most [`limits::MAX_CHANNEL_ROWS`].
    pub channels: Vec<ChannelStatus>,
    /// Ask again after this name for more.
    pub next: Option<String>,
}

impl Checked for StatusPage {
    fn check(&self) -> Result<(), DecodeError> {
        check_name("node name", &self.asked)?;
        check_count("number of nodes", self.nodes.len(), limits::MAX_NODES)?;
        check_count(
            "number of channels in a page",
            self.channels.len(),
            limits::MAX_CHANNEL_ROWS,
        )?;
        check_channel_names([&self.next])?;
        self.nodes.iter().try_for_each(Checked::check)?;
        self.channels.iter().try_for_each(Checked::check)
    }
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
        /// This page of them; at most [`limits::MAX_CHANNEL_ROWS`].
        channels: Vec<ChannelEntry>,
        /// Ask again after this name for more.
        next: Option<String>,
    },
    /// The channel moves.
    Moving {
        /// The request.
        request: u64,
        /// What it moves to.
        placement: Placement,
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
            | Self::Moving { request, .. }
            | Self::Status { request, .. } => *request,
            Self::Refused(refused) => refused.request,
        }
    }
}

impl Checked for AdminResponse {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Done { .. } | Self::Moving { .. } => Ok(()),
            Self::Created { channel, .. } => channel.check(),
            Self::Channels { channels, next, .. } => {
                check_count(
                    "number of channels in a page",
                    channels.len(),
                    limits::MAX_CHANNEL_ROWS,
                )?;
                check_channel_names([next])?;
                channels.iter().try_for_each(Checked::check)
            }
            Self::Status { page, .. } => page.check(),
            Self::Refused(refused) => refused.check(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placement_is_past_when_it_is_carried_out_or_another_took_its_place() {
        let placement = |version, is_settled| Placement {
            version,
            is_settled,
        };
        let ordered = placement(3, false);
        for (found, is_past) in [
            (placement(2, true), false),
            (placement(3, false), false),
            (placement(3, true), true),
            (placement(4, false), true),
        ] {
            assert_eq!(found.is_past(ordered), is_past, "{found:?}");
        }
        // Nothing was to be done.
        assert!(placement(3, true).is_past(placement(3, true)));
    }
}
