//! The record: one change of one channel inside a commit group.
//!
//! ```text
//! offset 0       4      5      8       16        48           52
//!        len u32│kind u8│0 [3]│lsn u64│channel [32]│body_crc u32│header_crc u32│body
//! ```
//! The header's checksum is seeded with the store and the group, so that neither a payload nor
//! the rest of an older group can pass for a record. Batches carry their own checksums; the
//! checksum of their body is left at zero.

use bytes::{Buf, BufMut, Bytes};
use serde::{Deserialize, Serialize};
use tetrarch_wire::checksum::crc32c_append;
use tetrarch_wire::{Batch, ChannelConfig, ChannelUid, DecodeError, HardState, LogPosition, Seq};

use crate::WriteOp;
use crate::lsn::Lsn;

/// Bytes of a record's header.
pub(crate) const HEADER: usize = 56;
const CRC_COVERS: usize = 52;
/// Upper bound of the bodies that are structures of fixed fields.
const STRUCTURE_MAX: usize = 64;

/// What a record changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RecordKind {
    Open = 1,
    Append = 2,
    Truncate = 3,
    HardState = 4,
    CommitHint = 5,
    Trim = 6,
    Delete = 7,
    Release = 8,
    TakeUp = 9,
    Begin = 10,
}

impl RecordKind {
    pub(crate) fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        Ok(match byte {
            1 => Self::Open,
            2 => Self::Append,
            3 => Self::Truncate,
            4 => Self::HardState,
            5 => Self::CommitHint,
            6 => Self::Trim,
            7 => Self::Delete,
            8 => Self::Release,
            9 => Self::TakeUp,
            10 => Self::Begin,
            other => {
                return Err(DecodeError::UnknownValue {
                    what: "record kind",
                    value: other.into(),
                });
            }
        })
    }

    pub(crate) fn of(op: &WriteOp) -> Self {
        match op {
            WriteOp::Open { .. } => Self::Open,
            WriteOp::Append(_) => Self::Append,
            WriteOp::Truncate(_) => Self::Truncate,
            WriteOp::HardState(_) => Self::HardState,
            WriteOp::CommitHint(_) => Self::CommitHint,
            WriteOp::Trim { .. } => Self::Trim,
            WriteOp::Delete => Self::Delete,
            WriteOp::Release => Self::Release,
            WriteOp::TakeUp => Self::TakeUp,
            WriteOp::Begin(_) => Self::Begin,
        }
    }
}

/// A record's header, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) lsn: Lsn,
    pub(crate) channel: ChannelUid,
    pub(crate) kind: RecordKind,
    pub(crate) len: usize,
    body_crc: u32,
}

#[derive(Serialize, Deserialize)]
struct OpenBody {
    name: String,
    genesis: ChannelConfig,
}

/// Bytes that an operation takes in a group, at most.
pub(crate) fn encoded_len(op: &WriteOp) -> usize {
    HEADER
        + match op {
            WriteOp::Append(batches) => batches.iter().map(Batch::size).sum(),
            WriteOp::Open { name, genesis } => name.len() + genesis.encode().len() + STRUCTURE_MAX,
            WriteOp::Truncate(_)
            | WriteOp::Begin(_)
            | WriteOp::HardState(_)
            | WriteOp::CommitHint(_)
            | WriteOp::Trim { .. }
            | WriteOp::Delete
            | WriteOp::Release
            | WriteOp::TakeUp => STRUCTURE_MAX,
        }
}

/// Appends one record to `out`. This is the one copy of a payload on its way to the disk.
pub(crate) fn encode(out: &mut Vec<u8>, seed: u32, channel: ChannelUid, lsn: Lsn, op: &WriteOp) {
    let start = out.len();
    out.resize(start + HEADER, 0);
    encode_body(out, op);
    let body = &out[start + HEADER..];
    // A group is bounded by the size of a WAL file, far below 4 GiB.
    let len = u32::try_from(body.len()).expect("a record is bounded");
    let kind = RecordKind::of(op);
    let body_crc = match kind {
        RecordKind::Append => 0,
        _ => crc32c_append(seed, body),
    };
    let mut header = &mut out[start..start + CRC_COVERS];
    header.put_u32_le(len);
    header.put_u8(kind as u8);
    header.put_slice(&[0; 3]);
    header.put_u64_le(lsn.get());
    header.put_slice(channel.as_bytes());
    header.put_u32_le(body_crc);
    let crc = crc32c_append(seed, &out[start..start + CRC_COVERS]);
    out[start + CRC_COVERS..start + HEADER].copy_from_slice(&crc.to_le_bytes());
}

fn encode_body(out: &mut Vec<u8>, op: &WriteOp) {
    match op {
        WriteOp::Append(batches) => {
            for chunk in batches.iter().flat_map(Batch::chunks) {
                out.extend_from_slice(chunk);
            }
        }
        WriteOp::Open { name, genesis } => structure(
            out,
            &OpenBody {
                name: name.clone(),
                genesis: genesis.clone(),
            },
        ),
        WriteOp::Truncate(position) | WriteOp::Begin(position) => structure(out, position),
        WriteOp::HardState(hard_state) => structure(out, hard_state),
        WriteOp::CommitHint(seq) | WriteOp::Trim { upto: seq } => out.put_u64_le(seq.get()),
        WriteOp::Delete | WriteOp::Release | WriteOp::TakeUp => {}
    }
}

fn structure<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    // Serialising to memory fails only for types that refuse to be serialised; these do not.
    let bytes = postcard::to_allocvec(value).expect("a record's structure serialises");
    out.extend_from_slice(&bytes);
}

/// Reads the record header at the front of `input`.
pub(crate) fn decode_header(input: &[u8], seed: u32) -> Result<RecordHeader, DecodeError> {
    const WHAT: &str = "record header";
    if input.len() < HEADER {
        return Err(DecodeError::Truncated {
            what: WHAT,
            needed: HEADER,
            available: input.len(),
        });
    }
    let found = crc32c_append(seed, &input[..CRC_COVERS]);
    let mut fields = &input[..HEADER];
    let len = fields.get_u32_le() as usize;
    let kind = fields.get_u8();
    fields.advance(3);
    let lsn = Lsn::new(fields.get_u64_le());
    let mut channel = [0; ChannelUid::LEN];
    fields.copy_to_slice(&mut channel);
    let body_crc = fields.get_u32_le();
    let expected = fields.get_u32_le();
    if found != expected {
        return Err(DecodeError::Checksum {
            what: WHAT,
            found,
            expected,
        });
    }
    if len > input.len() - HEADER {
        return Err(DecodeError::Truncated {
            what: "record",
            needed: HEADER + len,
            available: input.len(),
        });
    }
    Ok(RecordHeader {
        lsn,
        channel: ChannelUid::from_bytes(channel),
        kind: RecordKind::from_byte(kind)?,
        len,
        body_crc,
    })
}

/// Reads the body that belongs to `header`.
pub(crate) fn decode_body(
    header: &RecordHeader,
    body: Bytes,
    seed: u32,
) -> Result<WriteOp, DecodeError> {
    if header.kind == RecordKind::Append {
        return decode_batches(body).map(WriteOp::Append);
    }
    let found = crc32c_append(seed, &body);
    if found != header.body_crc {
        return Err(DecodeError::Checksum {
            what: "record body",
            found,
            expected: header.body_crc,
        });
    }
    Ok(match header.kind {
        RecordKind::Open => {
            let OpenBody { name, genesis } = read_structure(&body)?;
            WriteOp::Open { name, genesis }
        }
        RecordKind::Truncate => WriteOp::Truncate(read_structure::<LogPosition>(&body)?),
        RecordKind::Begin => WriteOp::Begin(read_structure::<LogPosition>(&body)?),
        RecordKind::HardState => WriteOp::HardState(read_structure::<HardState>(&body)?),
        RecordKind::CommitHint => WriteOp::CommitHint(read_seq(&body)?),
        RecordKind::Trim => WriteOp::Trim {
            upto: read_seq(&body)?,
        },
        RecordKind::Release => WriteOp::Release,
        RecordKind::TakeUp => WriteOp::TakeUp,
        RecordKind::Delete | RecordKind::Append => WriteOp::Delete,
    })
}

fn decode_batches(mut body: Bytes) -> Result<Vec<Batch>, DecodeError> {
    let mut batches = Vec::new();
    while !body.is_empty() {
        batches.push(Batch::decode(&mut body)?);
    }
    Ok(batches)
}

fn read_structure<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, DecodeError> {
    postcard::from_bytes(body).map_err(|source| DecodeError::Structure {
        what: "record body",
        source,
    })
}

fn read_seq(body: &[u8]) -> Result<Seq, DecodeError> {
    let bytes: [u8; 8] = body.try_into().map_err(|_| DecodeError::Truncated {
        what: "record body",
        needed: 8,
        available: body.len(),
    })?;
    Ok(Seq::new(u64::from_le_bytes(bytes)))
}
