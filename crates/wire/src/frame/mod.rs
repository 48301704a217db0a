//! Every frame that crosses a connection (protocol §5).
//!
//! ```text
//! len u32 │ type u8 │ ver u8 │ flags u16 │ body: `len` bytes
//! ```
//!
//! Numbers are little-endian. A control body is one postcard structure. A body that carries
//! batches is a postcard preamble followed by the raw batches, which the decoder slices out of the
//! receive buffer and the encoder passes on without copying.

mod admin;
mod beat;
mod buffer;
mod catalog;
mod channel;
mod client;
mod election;
mod fork;
mod header;
mod produce;
mod repair;
mod replication;
mod session;
mod snapshot;
mod structure;

use bytes::Bytes;

pub use admin::{
    AdminRequest, AdminResponse, ChannelStatus, CreateChannel, LabelFilter, Moving, NodeStatus,
    Placement, ReplicaStatus, StatusPage,
};
pub use beat::{BeatAck, BeatAckRow, ChannelBeat, DiskLevel, NodeBeat, TablePage, TableRequest};
pub use buffer::{FrameBuffer, FrameReader};
pub use catalog::{CatalogCommand, ChannelEntry, PlacementReport};
pub use channel::{ChannelFrame, ChannelMessage};
pub use client::{
    ChannelRoute, Deliver, Fetch, FetchResponse, Forward, Metadata, MetadataResponse, NodeRoute,
    ReadIndex, ReadIndexResponse, ReadMode, StartFrom, Subscribe, SubscribeCredit,
};
pub use election::{
    RefusalReason, TransferNow, TransferPrepare, VoteKind, VoteRequest, VoteResponse,
};
pub use fork::{ForkChunk, ForkPull, ForkReport};
pub use header::{FrameHeader, FrameType};
pub use produce::{AppendedRun, Produce, ProduceAck, ProduceOutcome, RetryReason};
pub use repair::{RepairAnswer, RepairRequest, RepairResponse, SegData, SegOffer, SegRequest};
pub use replication::{
    Append, AppendAck, AppendNack, FindPoint, NackCode, PointResponse, SyncChunk, SyncClass,
    SyncNack, SyncNackCode, SyncRequest,
};
pub use session::{Close, CloseCode, Credit, Goodbye, Hello, Refused};
pub use snapshot::{SnapshotChunk, SnapshotHeader, SnapshotRequest};

use crate::{DecodeError, batch};

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// First frame of the side that dialled.
    Hello(Hello),
    /// First frame of the side that accepted.
    HelloAck(Hello),
    /// The periodic sign of life of a node, with the channels that it leads.
    NodeBeat(NodeBeat),
    /// The answer to a beat.
    BeatAck(BeatAck),
    /// A beat's table was lost: send all of it.
    TableRequest(TableRequest),
    /// One page of a whole leadership table.
    TablePage(TablePage),
    /// The sender closes the connection and says why.
    Close(Close),
    /// A request was refused.
    Refused(Refused),
    /// More frames may be sent.
    Credit(Credit),
    /// A message of one channel's protocol, between replicas.
    Channel(ChannelFrame),
    /// Events to append.
    Produce(Produce),
    /// What became of them.
    ProduceAck(ProduceAck),
    /// Read once.
    Fetch(Fetch),
    /// What was read.
    FetchResponse(FetchResponse),
    /// Asks for an index at which a read is linearizable.
    ReadIndex(ReadIndex),
    /// That index.
    ReadIndexResponse(ReadIndexResponse),
    /// Asks where channels are.
    Metadata(Metadata),
    /// Where they are.
    MetadataResponse(MetadataResponse),
    /// Read on and on.
    Subscribe(Subscribe),
    /// A piece of what is read on and on.
    Deliver(Deliver),
    /// More may be delivered.
    SubscribeCredit(SubscribeCredit),
    /// A client's frame, passed on by a follower.
    Forward(Forward),
    /// An operator's command.
    Admin(AdminRequest),
    /// What became of it.
    AdminResponse(AdminResponse),
    /// The sender stops in good order.
    Goodbye(Goodbye),
}

impl Frame {
    /// The frame's type.
    #[must_use]
    pub const fn frame_type(&self) -> FrameType {
        match self {
            Self::Hello(_) => FrameType::Hello,
            Self::HelloAck(_) => FrameType::HelloAck,
            Self::NodeBeat(_) => FrameType::NodeBeat,
            Self::BeatAck(_) => FrameType::BeatAck,
            Self::TableRequest(_) => FrameType::TableRequest,
            Self::TablePage(_) => FrameType::TablePage,
            Self::Close(_) => FrameType::Close,
            Self::Refused(_) => FrameType::Refused,
            Self::Credit(_) => FrameType::Credit,
            Self::Channel(frame) => frame.message.frame_type(),
            Self::Produce(_) => FrameType::Produce,
            Self::ProduceAck(_) => FrameType::ProduceAck,
            Self::Fetch(_) => FrameType::Fetch,
            Self::FetchResponse(_) => FrameType::FetchResponse,
            Self::ReadIndex(_) => FrameType::ReadIndex,
            Self::ReadIndexResponse(_) => FrameType::ReadIndexResponse,
            Self::Metadata(_) => FrameType::Metadata,
            Self::MetadataResponse(_) => FrameType::MetadataResponse,
            Self::Subscribe(_) => FrameType::Subscribe,
            Self::Deliver(_) => FrameType::Deliver,
            Self::SubscribeCredit(_) => FrameType::SubscribeCredit,
            Self::Forward(_) => FrameType::Forward,
            Self::Admin(_) => FrameType::Admin,
            Self::AdminResponse(_) => FrameType::AdminResponse,
            Self::Goodbye(_) => FrameType::Goodbye,
        }
    }

    /// Appends the frame to `out`.
    ///
    /// # Errors
    /// If its body would break a limit, so that no peer would read it; `out` is then unchanged.
    pub fn encode(&self, out: &mut FrameBuffer) -> Result<(), DecodeError> {
        let frame_type = self.frame_type();
        match self {
            Self::Hello(body) | Self::HelloAck(body) => out.structure(frame_type, body),
            Self::NodeBeat(body) => out.structure(frame_type, body),
            Self::BeatAck(body) => out.structure(frame_type, body),
            Self::TableRequest(body) => out.structure(frame_type, body),
            Self::TablePage(body) => out.structure(frame_type, body),
            Self::Close(body) => out.structure(frame_type, body),
            Self::Refused(body) => out.structure(frame_type, body),
            Self::Credit(body) => out.structure(frame_type, body),
            Self::Channel(frame) => frame.encode(frame_type, out),
            Self::Produce(body) => out.raw(
                frame_type,
                &body.preamble(),
                std::slice::from_ref(body.events.bytes()),
            ),
            Self::ProduceAck(body) => out.structure(frame_type, body),
            Self::Fetch(body) => out.structure(frame_type, body),
            Self::FetchResponse(body) => out.batches(frame_type, &body.preamble(), &body.batches),
            Self::ReadIndex(body) => out.structure(frame_type, body),
            Self::ReadIndexResponse(body) => out.structure(frame_type, body),
            Self::Metadata(body) => out.structure(frame_type, body),
            Self::MetadataResponse(body) => out.structure(frame_type, body),
            Self::Subscribe(body) => out.structure(frame_type, body),
            Self::Deliver(body) => out.batches(frame_type, &body.preamble(), &body.batches),
            Self::SubscribeCredit(body) => out.structure(frame_type, body),
            Self::Forward(body) => out.raw(
                frame_type,
                &body.preamble(),
                std::slice::from_ref(&body.frame),
            ),
            Self::Admin(body) => out.structure(frame_type, body),
            Self::AdminResponse(body) => out.structure(frame_type, body),
            Self::Goodbye(body) => out.structure(frame_type, body),
        }
    }

    /// Reads the frame whose header was read before.
    ///
    /// # Errors
    /// If `body` is anything but exactly one body of that type.
    pub fn decode(header: FrameHeader, body: Bytes) -> Result<Self, DecodeError> {
        use structure::{exact, preamble};
        if body.len() != header.body_len() {
            return Err(DecodeError::Truncated {
                what: "frame body",
                needed: header.body_len(),
                available: body.len(),
            });
        }
        let what = header.frame_type().name();
        Ok(match header.frame_type() {
            FrameType::Hello => Self::Hello(exact(what, &body)?),
            FrameType::HelloAck => Self::HelloAck(exact(what, &body)?),
            FrameType::NodeBeat => Self::NodeBeat(exact(what, &body)?),
            FrameType::BeatAck => Self::BeatAck(exact(what, &body)?),
            FrameType::TableRequest => Self::TableRequest(exact(what, &body)?),
            FrameType::TablePage => Self::TablePage(exact(what, &body)?),
            FrameType::Close => Self::Close(exact(what, &body)?),
            FrameType::Refused => Self::Refused(exact(what, &body)?),
            FrameType::Credit => Self::Credit(exact(what, &body)?),
            FrameType::Produce => {
                let (head, events) = preamble(what, body)?;
                Self::Produce(Produce::from_parts(head, events)?)
            }
            FrameType::ProduceAck => Self::ProduceAck(exact(what, &body)?),
            FrameType::Fetch => Self::Fetch(exact(what, &body)?),
            FrameType::FetchResponse => {
                let (head, raw) = preamble(what, body)?;
                Self::FetchResponse(FetchResponse::from_parts(head, batch::decode_all(raw)?))
            }
            FrameType::ReadIndex => Self::ReadIndex(exact(what, &body)?),
            FrameType::ReadIndexResponse => Self::ReadIndexResponse(exact(what, &body)?),
            FrameType::Metadata => Self::Metadata(exact(what, &body)?),
            FrameType::MetadataResponse => Self::MetadataResponse(exact(what, &body)?),
            FrameType::Subscribe => Self::Subscribe(exact(what, &body)?),
            FrameType::Deliver => {
                let (head, raw) = preamble(what, body)?;
                Self::Deliver(Deliver::from_parts(head, batch::decode_all(raw)?))
            }
            FrameType::SubscribeCredit => Self::SubscribeCredit(exact(what, &body)?),
            FrameType::Forward => {
                let (head, frame) = preamble(what, body)?;
                Self::Forward(Forward::from_parts(head, frame))
            }
            FrameType::Admin => Self::Admin(exact(what, &body)?),
            FrameType::AdminResponse => Self::AdminResponse(exact(what, &body)?),
            FrameType::Goodbye => Self::Goodbye(exact(what, &body)?),
            FrameType::VoteRequest
            | FrameType::VoteResponse
            | FrameType::TransferPrepare
            | FrameType::TransferNow
            | FrameType::Placed
            | FrameType::Append
            | FrameType::AppendAck
            | FrameType::AppendNack
            | FrameType::FindPoint
            | FrameType::PointResponse
            | FrameType::SyncRequest
            | FrameType::SyncChunk
            | FrameType::SyncNack
            | FrameType::RepairRequest
            | FrameType::RepairResponse
            | FrameType::SegOffer
            | FrameType::SegRequest
            | FrameType::SegData
            | FrameType::SnapshotRequest
            | FrameType::SnapshotChunk
            | FrameType::ForkReport
            | FrameType::ForkPull
            | FrameType::ForkChunk => {
                Self::Channel(ChannelFrame::decode(header.frame_type(), body)?)
            }
        })
    }

    /// The frame as one byte string; for datagrams, tests and golden vectors.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn to_bytes(&self) -> Result<Bytes, DecodeError> {
        let mut buffer = FrameBuffer::default();
        self.encode(&mut buffer)?;
        Ok(buffer.take().concat().into())
    }

    /// Reads exactly one frame from a whole byte string, such as a datagram.
    ///
    /// # Errors
    /// If the bytes are anything but one frame.
    pub fn from_bytes(mut bytes: Bytes) -> Result<Self, DecodeError> {
        let header = FrameHeader::decode(&bytes)?;
        let body = bytes.split_off(FrameHeader::LEN);
        if body.len() > header.body_len() {
            return Err(DecodeError::TrailingBytes {
                what: "frame",
                count: body.len() - header.body_len(),
            });
        }
        Self::decode(header, body)
    }
}
