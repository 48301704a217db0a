//! Mending single batches and whole segments from a peer (protocol §9.5, §11.5).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::structure::{Checked, always_valid, check_count};
use crate::{Batch, DecodeError, Link, LogPosition, Seq, limits};

/// Asks a voter for batches that were lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairRequest {
    /// Numbers the request.
    pub request: u64,
    /// First and last seq of each hole, with the link expected at its end if it is known; at most
    /// [`limits::MAX_REPAIR_RANGES`].
    pub ranges: Vec<(Seq, Seq, Option<Link>)>,
}

impl Checked for RepairRequest {
    fn check(&self) -> Result<(), DecodeError> {
        check_holes(self.ranges.len())
    }
}

fn check_holes(count: usize) -> Result<(), DecodeError> {
    check_count("number of holes", count, limits::MAX_REPAIR_RANGES)
}

/// What a voter knows of one hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RepairAnswer {
    /// The batches follow.
    Have,
    /// It never held them.
    Never,
    /// It cannot say.
    Unknown,
}

/// What a voter knows of each hole, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairResponse {
    /// The request.
    pub request: u64,
    /// An answer for each hole.
    pub answers: Vec<RepairAnswer>,
    /// The batches of the holes answered with [`RepairAnswer::Have`].
    pub batches: Vec<Batch>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RepairPreamble {
    request: u64,
    answers: Vec<RepairAnswer>,
}

impl Checked for RepairPreamble {
    fn check(&self) -> Result<(), DecodeError> {
        check_holes(self.answers.len())
    }
}

impl RepairResponse {
    pub(super) fn preamble(&self) -> RepairPreamble {
        RepairPreamble {
            request: self.request,
            answers: self.answers.clone(),
        }
    }

    pub(super) fn from_parts(head: RepairPreamble, batches: Vec<Batch>) -> Self {
        let RepairPreamble { request, answers } = head;
        Self {
            request,
            answers,
            batches,
        }
    }
}

/// A whole segment that a far-behind replica may copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegOffer {
    /// First seq of the segment, which names it.
    pub base: Seq,
    /// The position that the segment continues.
    pub previous: LogPosition,
    /// The position at its end.
    pub last: LogPosition,
    /// Bytes.
    pub len: u64,
    /// BLAKE3 of all bytes.
    pub hash: [u8; 32],
}

/// Asks for a part of an offered segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegRequest {
    /// Numbers the request.
    pub request: u64,
    /// The segment.
    pub base: Seq,
    /// First byte.
    pub offset: u64,
    /// How many.
    pub len: u32,
}

/// A part of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegData {
    /// The request.
    pub request: u64,
    /// First byte.
    pub offset: u64,
    /// CRC-32C of the bytes.
    pub crc: u32,
    /// The bytes.
    pub bytes: Bytes,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SegDataPreamble {
    request: u64,
    offset: u64,
    crc: u32,
}

impl SegData {
    pub(super) fn preamble(&self) -> SegDataPreamble {
        SegDataPreamble {
            request: self.request,
            offset: self.offset,
            crc: self.crc,
        }
    }

    pub(super) fn from_parts(head: SegDataPreamble, bytes: Bytes) -> Self {
        let SegDataPreamble {
            request,
            offset,
            crc,
        } = head;
        Self {
            request,
            offset,
            crc,
            bytes,
        }
    }
}

always_valid!(SegOffer, SegRequest, SegDataPreamble);
