//! Messages that nobody sends yet, which whoever is sent one refuses, those about mending logs, of which
//! a replica that mends nothing has no use, and those about beginning in the middle of one.

use bytes::Bytes;
use tetrarch_wire::{
    Epoch, ForkId, Link, LogPosition, Seq, VoterId, checksum,
    frame::{
        ChannelMessage, ConflictResult, ForkPull, ForkReport, ForkResolved, LeaderConflict,
        RepairAnswer, RepairRequest, RepairResponse, SegData, SegOffer, SegRequest, SnapshotChunk,
        SnapshotHeader, SnapshotRequest, SyncClass, TransferPrepare,
    },
};

use super::Cursor;

/// One of them.
pub(crate) fn message(cursor: &mut Cursor<'_>) -> ChannelMessage {
    let kind = cursor.byte() % 13;
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
        1 => ChannelMessage::LeaderConflict(LeaderConflict {
            frozen: at,
            nonce: number,
        }),
        2 => ChannelMessage::ConflictResult(ConflictResult {
            nonce: number,
            winner: VoterId::NONE,
            new_epoch: at.epoch,
            divergence: seq,
        }),
        3 => ChannelMessage::RepairRequest(RepairRequest {
            request: number,
            ranges: vec![(seq, Seq::new(number.saturating_add(1)), None)],
        }),
        4 => ChannelMessage::RepairResponse(RepairResponse {
            request: number,
            answers: vec![RepairAnswer::Never],
            batches: Vec::new(),
        }),
        5 => ChannelMessage::SegOffer(SegOffer {
            base: seq,
            previous: at,
            last: at,
            len: number,
            hash: [0; 32],
        }),
        6 => ChannelMessage::SegRequest(SegRequest {
            request: number,
            base: seq,
            offset: number,
            len: 9,
        }),
        7 => ChannelMessage::SegData(SegData {
            request: number,
            offset: number,
            crc: 0,
            bytes: Bytes::from_static(b"segment"),
        }),
        8 => ChannelMessage::ForkReport(ForkReport {
            fork_id: ForkId::from_bytes([0; 16]),
            base: seq,
            base_link: at.link,
            epochs: Vec::new(),
            count: number,
            bytes: number,
            longest: seq,
        }),
        9 => ChannelMessage::ForkPull(ForkPull {
            request: number,
            fork_id: ForkId::from_bytes([0; 16]),
            from: seq,
            max_bytes: 1,
            class: SyncClass::Background,
        }),
        10 => ChannelMessage::SnapshotRequest(SnapshotRequest {
            request: number,
            of: number.is_multiple_of(2).then_some(snapshot),
            offset: number,
        }),
        11 => ChannelMessage::SnapshotChunk(SnapshotChunk {
            request: number,
            of: snapshot,
            offset: 0,
            bytes: Bytes::from_static(b"snapshot"),
        }),
        _ => ChannelMessage::ForkResolved(ForkResolved {
            fork_id: ForkId::from_bytes([0; 16]),
            upto: seq,
            ranges: Vec::new(),
        }),
    }
}
