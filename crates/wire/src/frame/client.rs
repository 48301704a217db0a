//! Reading, and finding out where to read (protocol §15).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::structure::{Checked, always_valid, check_count, check_name, check_text};
use crate::{
    Batch, ChannelClass, ChannelUid, DecodeError, Epoch, LogPosition, NodeId, Retention, Seq,
    VoterId, limits,
};

/// What a read may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReadMode {
    /// Events that the serving node knows to be committed; may lag, never goes back.
    Committed,
    /// Everything acknowledged before the read began; only the leader serves it.
    Linearizable,
    /// Whatever the serving node holds durably (`available` channels).
    Local,
}

/// Where a read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartFrom {
    /// The oldest event that is still there.
    Start,
    /// The first event committed after the request.
    Now,
    /// The event with this seq.
    Seq(Seq),
    /// Directly after a position that was read before; refused if it is not in the log any more.
    After(LogPosition),
}

/// Reads once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// Numbers the request within its stream.
    pub request: u64,
    /// The channel.
    pub channel: ChannelUid,
    /// Where to begin.
    pub from: StartFrom,
    /// What may be seen.
    pub mode: ReadMode,
    /// Most bytes to return; at least one batch is returned if there is one.
    pub max_bytes: u32,
    /// How long to wait for an event if there is none, in milliseconds.
    pub wait_ms: u32,
}

/// What was read. A read that starts inside a batch returns the whole batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// The request.
    pub request: u64,
    /// Last committed seq known to the serving node.
    pub commit: Seq,
    /// First seq that is still there.
    pub log_start: Seq,
    /// The batches.
    pub batches: Vec<Batch>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct FetchPreamble {
    request: u64,
    commit: Seq,
    log_start: Seq,
}

impl FetchResponse {
    pub(super) fn preamble(&self) -> FetchPreamble {
        FetchPreamble {
            request: self.request,
            commit: self.commit,
            log_start: self.log_start,
        }
    }

    pub(super) fn from_parts(head: FetchPreamble, batches: Vec<Batch>) -> Self {
        let FetchPreamble {
            request,
            commit,
            log_start,
        } = head;
        Self {
            request,
            commit,
            log_start,
            batches,
        }
    }
}

/// Asks the leader for an index at which a read is linearizable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadIndex {
    /// Numbers the request within its stream.
    pub request: u64,
    /// The channel.
    pub channel: ChannelUid,
}

/// That index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadIndexResponse {
    /// The request.
    pub request: u64,
    /// The epoch in which the leader confirmed that it leads.
    pub epoch: Epoch,
    /// Everything acknowledged before the request lies at or before this seq.
    pub commit: Seq,
}

/// Asks where channels are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Numbers the request within its stream.
    pub request: u64,
    /// The channels by name, at most [`limits::MAX_CHANNEL_ROWS`]; none asks for the nodes alone.
    pub channels: Vec<String>,
}

impl Checked for Metadata {
    fn check(&self) -> Result<(), DecodeError> {
        check_count(
            "number of channels asked for",
            self.channels.len(),
            limits::MAX_CHANNEL_ROWS,
        )?;
        self.channels
            .iter()
            .try_for_each(|name| check_name("channel name", name))
    }
}

/// Where a channel is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRoute {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: ChannelUid,
    /// Its promise.
    pub class: ChannelClass,
    /// How long it keeps events.
    pub retention: Retention,
    /// The highest epoch that the asked node knows.
    pub epoch: Epoch,
    /// Who leads it, if the asked node knows.
    pub leader: Option<NodeId>,
    /// The nodes that hold it, with the votes they have.
    pub replicas: Vec<(NodeId, VoterId)>,
}

impl Checked for ChannelRoute {
    fn check(&self) -> Result<(), DecodeError> {
        check_name("channel name", &self.name)?;
        check_count(
            "number of replicas",
            self.replicas.len(),
            limits::MAX_VOTERS,
        )
    }
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRoute {
    /// The node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Its address, as `host:port`.
    pub address: String,
    /// Whether the asked node hears it.
    pub alive: bool,
}

impl Checked for NodeRoute {
    fn check(&self) -> Result<(), DecodeError> {
        check_name("node name", &self.name)?;
        check_text("node address", &self.address)
    }
}

/// Where channels and nodes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataResponse {
    /// The request.
    pub request: u64,
    /// Each asked-for channel that the asked node knows.
    pub channels: Vec<ChannelRoute>,
    /// Every node of the mesh; at most [`limits::MAX_NODES`].
    pub nodes: Vec<NodeRoute>,
}

impl Checked for MetadataResponse {
    fn check(&self) -> Result<(), DecodeError> {
        check_count(
            "number of channels",
            self.channels.len(),
            limits::MAX_CHANNEL_ROWS,
        )?;
        check_count("number of nodes", self.nodes.len(), limits::MAX_NODES)?;
        self.channels.iter().try_for_each(Checked::check)?;
        self.nodes.iter().try_for_each(Checked::check)
    }
}

/// Reads on and on. Each subscription has a stream of its own, so that a slow one blocks no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe {
    /// The channel.
    pub channel: ChannelUid,
    /// Where to begin.
    pub from: StartFrom,
    /// What may be seen.
    pub mode: ReadMode,
    /// How many bytes may be delivered before more credit is given.
    pub credit: u64,
}

/// A piece of a subscription; without batches, news of the commit position alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// Last committed seq known to the serving node.
    pub commit: Seq,
    /// First seq that is still there.
    pub log_start: Seq,
    /// The batches.
    pub batches: Vec<Batch>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DeliverPreamble {
    commit: Seq,
    log_start: Seq,
}

impl Deliver {
    pub(super) fn preamble(&self) -> DeliverPreamble {
        DeliverPreamble {
            commit: self.commit,
            log_start: self.log_start,
        }
    }

    pub(super) fn from_parts(head: DeliverPreamble, batches: Vec<Batch>) -> Self {
        let DeliverPreamble { commit, log_start } = head;
        Self {
            commit,
            log_start,
            batches,
        }
    }
}

/// More may be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscribeCredit {
    /// How many bytes more.
    pub bytes: u64,
}

/// A client's frame that a follower passes on to the leader, with the client's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Numbers the request within its stream.
    pub request: u64,
    /// The client, as its certificate names it; at most [`limits::MAX_TEXT_BYTES`].
    pub client: String,
    /// The whole frame, header included.
    pub frame: Bytes,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ForwardPreamble {
    request: u64,
    client: String,
}

impl Checked for ForwardPreamble {
    fn check(&self) -> Result<(), DecodeError> {
        check_text("client of a forwarded frame", &self.client)
    }
}

impl Forward {
    pub(super) fn preamble(&self) -> ForwardPreamble {
        ForwardPreamble {
            request: self.request,
            client: self.client.clone(),
        }
    }

    pub(super) fn from_parts(head: ForwardPreamble, frame: Bytes) -> Self {
        let ForwardPreamble { request, client } = head;
        Self {
            request,
            client,
            frame,
        }
    }
}

always_valid!(
    Fetch,
    FetchPreamble,
    ReadIndex,
    ReadIndexResponse,
    Subscribe,
    DeliverPreamble,
    SubscribeCredit,
);
