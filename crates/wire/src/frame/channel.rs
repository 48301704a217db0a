//! Messages between the replicas of one channel: the only frames that the protocol core sees.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Append, AppendAck, AppendNack, FindPoint, ForkChunk, ForkPull, ForkReport, FrameBuffer,
    FrameType, PlacementReport, PointResponse, RepairRequest, RepairResponse, SegData, SegOffer,
    SegRequest, SnapshotChunk, SnapshotRequest, SyncChunk, SyncNack, SyncRequest, TransferNow,
    TransferPrepare, VoteRequest, VoteResponse,
    structure::{Checked, exact, preamble},
};
use crate::{ChannelUid, DecodeError, Epoch, batch};

/// A message between replicas. It names its channel in full: an identifier bound per connection
/// would save 28 bytes of a frame that carries up to a mebibyte, and could be stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFrame {
    /// The channel.
    pub channel: ChannelUid,
    /// The epoch in which the sender speaks.
    pub epoch: Epoch,
    /// What it says.
    pub message: ChannelMessage,
}

/// What one replica of a channel says to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelMessage {
    /// A candidate asks for a vote.
    VoteRequest(VoteRequest),
    /// The answer.
    VoteResponse(VoteResponse),
    /// The leader wants to hand over.
    TransferPrepare(TransferPrepare),
    /// The leader hands over.
    TransferNow(TransferNow),
    /// A leader has carried out what the catalog wants.
    Placed(PlacementReport),
    /// The leader pushes.
    Append(Append),
    /// A replica holds it durably.
    AppendAck(AppendAck),
    /// A replica does not take it.
    AppendNack(AppendNack),
    /// A replica asks where its log parts from the leader's.
    FindPoint(FindPoint),
    /// The answer.
    PointResponse(PointResponse),
    /// A replica pulls.
    SyncRequest(SyncRequest),
    /// What it pulled.
    SyncChunk(SyncChunk),
    /// Why it gets nothing.
    SyncNack(SyncNack),
    /// A voter asks for batches that it lost.
    RepairRequest(RepairRequest),
    /// The answer.
    RepairResponse(RepairResponse),
    /// A segment is offered.
    SegOffer(SegOffer),
    /// A part of it is asked for.
    SegRequest(SegRequest),
    /// That part.
    SegData(SegData),
    /// A replica asks for what came of batches that the leader has dropped.
    SnapshotRequest(SnapshotRequest),
    /// A part of that.
    SnapshotChunk(SnapshotChunk),
    /// A fork exists.
    ForkReport(ForkReport),
    /// A fork is pulled.
    ForkPull(ForkPull),
    /// A fork is settled.
    ForkChunk(ForkChunk),
}

#[derive(Serialize, Deserialize)]
struct Addressed<T> {
    channel: ChannelUid,
    epoch: Epoch,
    message: T,
}

impl<T: Checked> Checked for Addressed<T> {
    fn check(&self) -> Result<(), DecodeError> {
        self.message.check()
    }
}

impl ChannelMessage {
    /// The type of the frame that carries it.
    #[must_use]
    pub const fn frame_type(&self) -> FrameType {
        match self {
            Self::VoteRequest(_) => FrameType::VoteRequest,
            Self::VoteResponse(_) => FrameType::VoteResponse,
            Self::TransferPrepare(_) => FrameType::TransferPrepare,
            Self::TransferNow(_) => FrameType::TransferNow,
            Self::Placed(_) => FrameType::Placed,
            Self::Append(_) => FrameType::Append,
            Self::AppendAck(_) => FrameType::AppendAck,
            Self::AppendNack(_) => FrameType::AppendNack,
            Self::FindPoint(_) => FrameType::FindPoint,
            Self::PointResponse(_) => FrameType::PointResponse,
            Self::SyncRequest(_) => FrameType::SyncRequest,
            Self::SyncChunk(_) => FrameType::SyncChunk,
            Self::SyncNack(_) => FrameType::SyncNack,
            Self::RepairRequest(_) => FrameType::RepairRequest,
            Self::RepairResponse(_) => FrameType::RepairResponse,
            Self::SegOffer(_) => FrameType::SegOffer,
            Self::SegRequest(_) => FrameType::SegRequest,
            Self::SegData(_) => FrameType::SegData,
            Self::SnapshotRequest(_) => FrameType::SnapshotRequest,
            Self::SnapshotChunk(_) => FrameType::SnapshotChunk,
            Self::ForkReport(_) => FrameType::ForkReport,
            Self::ForkPull(_) => FrameType::ForkPull,
            Self::ForkChunk(_) => FrameType::ForkChunk,
        }
    }
}

impl ChannelFrame {
    pub(super) fn encode(
        &self,
        frame_type: FrameType,
        out: &mut FrameBuffer,
    ) -> Result<(), DecodeError> {
        let Self {
            channel,
            epoch,
            message,
        } = self;
        let (channel, epoch) = (*channel, *epoch);
        macro_rules! structure {
            ($message:expr) => {
                out.structure(
                    frame_type,
                    &Addressed {
                        channel,
                        epoch,
                        message: $message,
                    },
                )
            };
        }
        match message {
            ChannelMessage::VoteRequest(message) => structure!(message),
            ChannelMessage::VoteResponse(message) => structure!(message),
            ChannelMessage::TransferPrepare(message) => structure!(message),
            ChannelMessage::TransferNow(message) => structure!(message),
            ChannelMessage::Placed(message) => structure!(message),
            ChannelMessage::Append(message) => {
                let head = Addressed {
                    channel,
                    epoch,
                    message: message.preamble(),
                };
                out.batches(frame_type, &head, &message.batches)
            }
            ChannelMessage::AppendAck(message) => structure!(message),
            ChannelMessage::AppendNack(message) => structure!(message),
            ChannelMessage::FindPoint(message) => structure!(message),
            ChannelMessage::PointResponse(message) => structure!(message),
            ChannelMessage::SyncRequest(message) => structure!(message),
            ChannelMessage::SyncChunk(message) => {
                let head = Addressed {
                    channel,
                    epoch,
                    message: message.preamble(),
                };
                out.batches(frame_type, &head, &message.batches)
            }
            ChannelMessage::SyncNack(message) => structure!(message),
            ChannelMessage::RepairRequest(message) => structure!(message),
            ChannelMessage::RepairResponse(message) => {
                let head = Addressed {
                    channel,
                    epoch,
                    message: message.preamble(),
                };
                out.batches(frame_type, &head, &message.batches)
            }
            ChannelMessage::SegOffer(message) => structure!(message),
            ChannelMessage::SegRequest(message) => structure!(message),
            ChannelMessage::SegData(message) => {
                let head = Addressed {
                    channel,
                    epoch,
                    message: message.preamble(),
                };
                out.raw(frame_type, &head, std::slice::from_ref(&message.bytes))
            }
            ChannelMessage::SnapshotRequest(message) => structure!(message),
            ChannelMessage::SnapshotChunk(message) => {
                let head = Addressed {
                    channel,
                    epoch,
                    message: message.preamble(),
                };
                out.raw(frame_type, &head, std::slice::from_ref(&message.bytes))
            }
            ChannelMessage::ForkReport(message) => structure!(message),
            ChannelMessage::ForkPull(message) => structure!(message),
            ChannelMessage::ForkChunk(message) => {
                let head = Addressed {
                    channel,
                    epoch,
                    message: message.preamble(),
                };
                out.batches(frame_type, &head, &message.batches)
            }
        }
    }

    pub(super) fn decode(frame_type: FrameType, body: Bytes) -> Result<Self, DecodeError> {
        let what = frame_type.name();
        macro_rules! structure {
            ($variant:ident) => {{
                let Addressed {
                    channel,
                    epoch,
                    message,
                } = exact(what, &body)?;
                Self {
                    channel,
                    epoch,
                    message: ChannelMessage::$variant(message),
                }
            }};
        }
        macro_rules! batches {
            ($variant:ident) => {{
                let (head, raw) = preamble(what, body)?;
                let Addressed {
                    channel,
                    epoch,
                    message,
                } = head;
                let message = $variant::from_parts(message, batch::decode_all(raw)?);
                Self {
                    channel,
                    epoch,
                    message: ChannelMessage::$variant(message),
                }
            }};
        }
        macro_rules! bytes {
            ($variant:ident) => {{
                let (head, bytes) = preamble(what, body)?;
                let Addressed {
                    channel,
                    epoch,
                    message,
                } = head;
                let message = $variant::from_parts(message, bytes);
                Self {
                    channel,
                    epoch,
                    message: ChannelMessage::$variant(message),
                }
            }};
        }
        Ok(match frame_type {
            FrameType::VoteRequest => structure!(VoteRequest),
            FrameType::VoteResponse => structure!(VoteResponse),
            FrameType::TransferPrepare => structure!(TransferPrepare),
            FrameType::TransferNow => structure!(TransferNow),
            FrameType::Placed => structure!(Placed),
            FrameType::Append => batches!(Append),
            FrameType::AppendAck => structure!(AppendAck),
            FrameType::AppendNack => structure!(AppendNack),
            FrameType::FindPoint => structure!(FindPoint),
            FrameType::PointResponse => structure!(PointResponse),
            FrameType::SyncRequest => structure!(SyncRequest),
            FrameType::SyncChunk => batches!(SyncChunk),
            FrameType::SyncNack => structure!(SyncNack),
            FrameType::RepairRequest => structure!(RepairRequest),
            FrameType::RepairResponse => batches!(RepairResponse),
            FrameType::SegOffer => structure!(SegOffer),
            FrameType::SegRequest => structure!(SegRequest),
            FrameType::SegData => bytes!(SegData),
            FrameType::SnapshotRequest => structure!(SnapshotRequest),
            FrameType::SnapshotChunk => bytes!(SnapshotChunk),
            FrameType::ForkReport => structure!(ForkReport),
            FrameType::ForkPull => structure!(ForkPull),
            FrameType::ForkChunk => batches!(ForkChunk),
            FrameType::Hello
            | FrameType::HelloAck
            | FrameType::NodeBeat
            | FrameType::BeatAck
            | FrameType::TableRequest
            | FrameType::TablePage
            | FrameType::Close
            | FrameType::Refused
            | FrameType::Credit
            | FrameType::Produce
            | FrameType::ProduceAck
            | FrameType::Fetch
            | FrameType::FetchResponse
            | FrameType::ReadIndex
            | FrameType::ReadIndexResponse
            | FrameType::Metadata
            | FrameType::MetadataResponse
            | FrameType::Subscribe
            | FrameType::Deliver
            | FrameType::SubscribeCredit
            | FrameType::Forward
            | FrameType::Admin
            | FrameType::AdminResponse
            | FrameType::Goodbye => {
                return Err(DecodeError::Invalid {
                    what,
                    why: "it is no message of a channel",
                });
            }
        })
    }
}
