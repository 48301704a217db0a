//! The summary of a group: which channels its records belong to, and its hard states once more.
//! It stands in blocks of its own, so that one bad block can neither take a vote back nor hide
//! whose records it held.
//!
//! ```text
//! offset 0         4       8               16        24      28
//!        magic u32│ver u32│incarnation u64│group u64│len u32│crc u32│entries
//! ```

use bytes::{Buf, BufMut};
use serde::{Deserialize, Serialize};
use tetrarch_wire::checksum::crc32c_append;
use tetrarch_wire::{ChannelUid, HardState};

use super::group::WalSeed;
use super::record::RecordKind;
use crate::WriteOp;
use crate::lsn::Lsn;

const MAGIC: u32 = u32::from_le_bytes(*b"TTRS");
const VERSION: u32 = 1;
const HEADER: usize = 32;
const CRC_COVERS: usize = 28;

/// One record of the group, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SummaryEntry {
    pub(crate) lsn: Lsn,
    pub(crate) channel: ChannelUid,
    kind: u8,
    /// The whole record, if it is a hard state.
    pub(crate) hard_state: Option<HardState>,
}

impl SummaryEntry {
    pub(crate) fn of(lsn: Lsn, channel: ChannelUid, op: &WriteOp) -> Self {
        Self {
            lsn,
            channel,
            kind: RecordKind::of(op) as u8,
            hard_state: match op {
                WriteOp::HardState(hard_state) => Some(*hard_state),
                _ => None,
            },
        }
    }
}

/// Appends a summary to `out`, which ends on a block.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    entries: &[SummaryEntry],
    seed: WalSeed,
    incarnation: u64,
    group: u64,
) -> u32 {
    let start = out.len();
    out.resize(start + HEADER, 0);
    // Serialising to memory fails only for types that refuse to be serialised; these do not.
    let body = postcard::to_allocvec(entries).expect("a summary serialises");
    out.extend_from_slice(&body);
    // A summary is bounded by the number of records in a group.
    let len = u32::try_from(body.len()).expect("a summary is bounded");
    let mut header = &mut out[start..start + CRC_COVERS];
    header.put_u32_le(MAGIC);
    header.put_u32_le(VERSION);
    header.put_u64_le(incarnation);
    header.put_u64_le(group);
    header.put_u32_le(len);
    let crc = checksum(seed, group, &out[start..start + CRC_COVERS], &body);
    out[start + CRC_COVERS..start + HEADER].copy_from_slice(&crc.to_le_bytes());
    len + u32::try_from(HEADER).expect("a small constant")
}

/// Reads the summary at the front of `input`, if it is that of this group.
pub(crate) fn decode(
    input: &[u8],
    seed: WalSeed,
    incarnation: u64,
    group: u64,
) -> Option<Vec<SummaryEntry>> {
    if input.len() < HEADER {
        return None;
    }
    let mut fields = &input[..HEADER];
    let genuine = fields.get_u32_le() == MAGIC
        && fields.get_u32_le() == VERSION
        && fields.get_u64_le() == incarnation
        && fields.get_u64_le() == group;
    let len = fields.get_u32_le() as usize;
    let expected = fields.get_u32_le();
    let body = input.get(HEADER..HEADER.checked_add(len)?)?;
    if !genuine || checksum(seed, group, &input[..CRC_COVERS], body) != expected {
        return None;
    }
    postcard::from_bytes(body).ok()
}

fn checksum(seed: WalSeed, group: u64, header: &[u8], body: &[u8]) -> u32 {
    crc32c_append(crc32c_append(seed.of_group(group), header), body)
}
