//! What precedes every frame's body.

use bytes::{Buf, BufMut};

use crate::{DecodeError, limits};

/// The version of every frame type so far.
const VERSION: u8 = 1;

macro_rules! frame_types {
    ($($name:ident = $code:literal, $limit:ident, $what:literal;)+) => {
        /// What a frame is. The numbers are the wire values and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum FrameType {
            $(#[doc = concat!("A ", $what, ".")] $name = $code,)+
        }

        impl FrameType {
            /// Every type, in the order of the wire values.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in errors and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $what,)+ }
            }

            /// Most bytes in a body of this type.
            #[must_use]
            pub const fn max_body(self) -> usize {
                match self { $(Self::$name => limits::$limit,)+ }
            }
        }

        impl TryFrom<u8> for FrameType {
            type Error = DecodeError;

            fn try_from(value: u8) -> Result<Self, DecodeError> {
                match value {
                    $($code => Ok(Self::$name),)+
                    _ => Err(DecodeError::UnknownValue {
                        what: "frame type",
                        value: value.into(),
                    }),
                }
            }
        }
    };
}

frame_types! {
    Hello = 0x01, MAX_CONTROL_FRAME, "hello";
    HelloAck = 0x02, MAX_CONTROL_FRAME, "hello acknowledgement";
    NodeBeat = 0x03, MAX_CONTROL_FRAME, "node beat";
    BeatAck = 0x04, MAX_CONTROL_FRAME, "beat acknowledgement";
    TableRequest = 0x05, MAX_CONTROL_FRAME, "leadership table request";
    TablePage = 0x08, MAX_CONTROL_FRAME, "leadership table page";
    Close = 0x0B, MAX_CONTROL_FRAME, "close";
    Refused = 0x0C, MAX_CONTROL_FRAME, "refusal";
    Credit = 0x0D, MAX_CONTROL_FRAME, "credit";
    VoteRequest = 0x10, MAX_CONTROL_FRAME, "vote request";
    VoteResponse = 0x11, MAX_CONTROL_FRAME, "vote response";
    TransferPrepare = 0x14, MAX_CONTROL_FRAME, "transfer preparation";
    TransferNow = 0x15, MAX_CONTROL_FRAME, "transfer order";
    Placed = 0x16, MAX_CONTROL_FRAME, "placement report";
    Append = 0x20, MAX_DATA_FRAME, "append";
    AppendAck = 0x21, MAX_CONTROL_FRAME, "append acknowledgement";
    AppendNack = 0x22, MAX_CONTROL_FRAME, "append refusal";
    FindPoint = 0x23, MAX_CONTROL_FRAME, "truncation point request";
    PointResponse = 0x24, MAX_CONTROL_FRAME, "truncation point";
    SyncRequest = 0x25, MAX_CONTROL_FRAME, "catch-up request";
    SyncChunk = 0x26, MAX_DATA_FRAME, "catch-up chunk";
    SyncNack = 0x27, MAX_CONTROL_FRAME, "catch-up refusal";
    RepairRequest = 0x28, MAX_CONTROL_FRAME, "repair request";
    RepairResponse = 0x29, MAX_DATA_FRAME, "repair response";
    SegOffer = 0x2A, MAX_CONTROL_FRAME, "segment offer";
    SegRequest = 0x2B, MAX_CONTROL_FRAME, "segment request";
    SegData = 0x2C, MAX_DATA_FRAME, "segment data";
    SnapshotRequest = 0x2D, MAX_CONTROL_FRAME, "snapshot request";
    SnapshotChunk = 0x2E, MAX_DATA_FRAME, "snapshot chunk";
    ForkReport = 0x30, MAX_CONTROL_FRAME, "fork report";
    ForkPull = 0x31, MAX_CONTROL_FRAME, "fork pull";
    ForkChunk = 0x32, MAX_DATA_FRAME, "fork chunk";
    Produce = 0x40, MAX_DATA_FRAME, "produce request";
    ProduceAck = 0x41, MAX_CONTROL_FRAME, "produce acknowledgement";
    Fetch = 0x42, MAX_CONTROL_FRAME, "fetch request";
    FetchResponse = 0x43, MAX_DATA_FRAME, "fetch response";
    ReadIndex = 0x44, MAX_CONTROL_FRAME, "read index request";
    ReadIndexResponse = 0x45, MAX_CONTROL_FRAME, "read index";
    Metadata = 0x46, MAX_CONTROL_FRAME, "metadata request";
    MetadataResponse = 0x47, MAX_DATA_FRAME, "metadata";
    Subscribe = 0x48, MAX_CONTROL_FRAME, "subscription";
    Deliver = 0x49, MAX_DATA_FRAME, "delivery";
    SubscribeCredit = 0x4A, MAX_CONTROL_FRAME, "subscription credit";
    Forward = 0x4B, MAX_FORWARD_FRAME, "forwarded frame";
    Admin = 0x50, MAX_CONTROL_FRAME, "admin request";
    AdminResponse = 0x51, MAX_DATA_FRAME, "admin response";
    Goodbye = 0x7E, MAX_CONTROL_FRAME, "goodbye";
}

/// The fixed part of a frame: its type and how long its body is. One that was read keeps the limit
/// of its type, so the body may be allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    frame_type: FrameType,
    body_len: u32,
}

impl FrameHeader {
    /// Bytes of an encoded header.
    pub const LEN: usize = limits::FRAME_HEADER_BYTES;

    /// The header of a frame with a body of `body_len` bytes.
    ///
    /// # Errors
    /// If the type does not allow so long a body.
    pub fn new(frame_type: FrameType, body_len: usize) -> Result<Self, DecodeError> {
        let too_large = DecodeError::TooLarge {
            what: frame_type.name(),
            size: body_len as u64,
            limit: frame_type.max_body() as u64,
        };
        if body_len > frame_type.max_body() {
            return Err(too_large);
        }
        let body_len = u32::try_from(body_len).map_err(|_| too_large)?;
        Ok(Self {
            frame_type,
            body_len,
        })
    }

    /// The frame's type.
    #[must_use]
    pub const fn frame_type(self) -> FrameType {
        self.frame_type
    }

    /// Bytes of the body.
    #[must_use]
    pub const fn body_len(self) -> usize {
        self.body_len as usize
    }

    pub(super) fn encode(self, out: &mut impl BufMut) {
        out.put_u32_le(self.body_len);
        out.put_u8(self.frame_type as u8);
        out.put_u8(VERSION);
        out.put_u16_le(0);
    }

    /// Reads the header at the front of `input`, which may go on after it.
    ///
    /// # Errors
    /// If the bytes are too few, or name an unknown type, version or flag, or a length over the
    /// type's limit.
    pub fn decode(mut input: &[u8]) -> Result<Self, DecodeError> {
        if input.len() < Self::LEN {
            return Err(DecodeError::Truncated {
                what: "frame header",
                needed: Self::LEN,
                available: input.len(),
            });
        }
        let body_len = input.get_u32_le();
        let frame_type = FrameType::try_from(input.get_u8())?;
        let version = input.get_u8();
        let flags = input.get_u16_le();
        if version != VERSION {
            return Err(DecodeError::UnknownValue {
                what: "frame version",
                value: version.into(),
            });
        }
        if flags != 0 {
            return Err(DecodeError::UnknownValue {
                what: "frame flag",
                value: flags.into(),
            });
        }
        Self::new(frame_type, body_len as usize)
    }
}
