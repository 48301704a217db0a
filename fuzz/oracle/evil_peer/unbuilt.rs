//! Messages that nobody sends yet, which whoever is sent one refuses, those about mending logs, of which
//! a replica that mends nothing has no use, and those about beginning in the middle of one.

use bytes::Bytes;
use tetrarch_wire::{
    Epoch, ForkId, Link, LogPosition, Seq, VoterId, checksum,
    frame::{
        ChannelMessage, ForkChunk, ForkPull, ForkReport, RepairAnswer, RepairRequest,
        RepairResponse, SegData, SegOffer, SegRequest, SnapshotChunk, SnapshotHeader,
        SnapshotRequest, TransferPrepare,
    },
};

use super::Cursor;

/// One of them.
pub(crate) fn message(cursor: &mut Cursor<'_>) -> ChannelMessage {
    let kind = cursor.byte() % 11;
    let number = cursor.number();
    let seq = Seq::new(number);
    let at = LogPosition {
        seq,
        epoch: Epoch::new(number, VoterId::NONE),
        link: Link::from_bytes([0; 16]),
    };
    let snapshot = SnapshotHeader {
        start: at,
        seq,
        len: 8,
        checksum: checksum::crc32c(b"snapshot"),
    };
    match kind {
        0 => ChannelMessage::TransferPrepare(TransferPrepare { must_have: seq }),
        1 => ChannelMessage::RepairRequest(RepairRequest {
            request: number,
            ranges: vec![(seq, Seq::new(number.saturating_add(1)), None)],
        }),
        2 => ChannelMessage::RepairResponse(RepairResponse {
            request: number,
            answers: vec![RepairAnswer::Never],
            batches: Vec::new(),
        }),
        3 => ChannelMessage::SegOffer(SegOffer {
            base: seq,
            previous: at,
            last: at,
            len: number,
            hash: [0; 32],
        }),
        4 => ChannelMessage::SegRequest(SegRequest {
            request: number,
            base: seq,
            offset: number,
            len: 9,
        }),
        5 => ChannelMessage::SegData(SegData {
            request: number,
            offset: number,
            crc: 0,
            bytes: Bytes::from_static(b"segment"),
        }),
        6 => ChannelMessage::ForkReport(ForkReport {
            fork: ForkId::from_bytes([0; 16]),
            base: at,
            end: at,
            events: number,
            bytes: number,
        }),
        7 => ChannelMessage::ForkPull(ForkPull {
            request: number,
            fork: ForkId::from_bytes([0; 16]),
            from: seq,
            max_bytes: 1,
        }),
        8 => ChannelMessage::SnapshotRequest(SnapshotRequest {
            request: number,
            of: number.is_multiple_of(2).then_some(snapshot),
            offset: number,
        }),
        9 => ChannelMessage::SnapshotChunk(SnapshotChunk {
            request: number,
            of: snapshot,
            offset: 0,
            bytes: Bytes::from_static(b"snapshot"),
        }),
        _ => ChannelMessage::ForkChunk(ForkChunk {
            request: number,
            batches: Vec::new(),
        }),
    }
}
