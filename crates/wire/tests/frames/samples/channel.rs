//! Frames between the replicas of one channel.

use bytes::Bytes;
use tetrarch_wire::{
    EpochStart, ForkId, Frame, LogPosition, Seq, checksum,
    frame::{
        Append, AppendAck, AppendNack, ChannelFrame, ChannelMessage, DiskLevel, FindPoint,
        ForkChunk, ForkPull, ForkReport, NackCode, PlacementReport, PointResponse, RefusalReason,
        RepairAnswer, RepairRequest, RepairResponse, SegData, SegOffer, SegRequest, SnapshotChunk,
        SnapshotHeader, SnapshotRequest, SyncChunk, SyncClass, SyncNack, SyncNackCode, SyncRequest,
        TransferNow, TransferPrepare, VoteKind, VoteRequest, VoteResponse,
    },
};

use super::{batches, epoch, link, position, uid, voter};

pub(super) fn frames() -> Vec<(String, Frame)> {
    [election(), replication(), catch_up(), repair(), forks()]
        .concat()
        .into_iter()
        .map(|(suffix, message)| (suffix, addressed(message)))
        .collect()
}

pub(crate) fn addressed(message: ChannelMessage) -> Frame {
    Frame::Channel(ChannelFrame {
        channel: uid(),
        epoch: epoch(),
        message,
    })
}

type Named = (String, ChannelMessage);

fn plain(message: ChannelMessage) -> Named {
    (String::new(), message)
}

fn election() -> Vec<Named> {
    let mut messages = Vec::new();
    for kind in [VoteKind::Pre, VoteKind::Vote, VoteKind::Transfer] {
        messages.push((
            format!("{kind:?}"),
            ChannelMessage::VoteRequest(VoteRequest {
                kind,
                candidate: voter(1),
                last: position(),
                config_seq: Seq::new(0),
            }),
        ));
    }
    messages.push(("granted".into(), vote_response(None)));
    for reason in [
        RefusalReason::Stale,
        RefusalReason::Voted,
        RefusalReason::Log,
        RefusalReason::LeaderAlive,
        RefusalReason::Limbo,
        RefusalReason::NotVoter,
        RefusalReason::Rank,
    ] {
        messages.push((format!("{reason:?}"), vote_response(Some(reason))));
    }
    let must_have = Seq::new(300);
    messages.push(plain(ChannelMessage::TransferPrepare(TransferPrepare {
        must_have,
    })));
    messages.push(plain(ChannelMessage::TransferNow(TransferNow {
        must_have,
    })));
    messages.push(plain(ChannelMessage::Placed(PlacementReport {
        channel: uid(),
        version: 3,
    })));
    messages
}

fn vote_response(refusal: Option<RefusalReason>) -> ChannelMessage {
    ChannelMessage::VoteResponse(VoteResponse {
        kind: VoteKind::Vote,
        voter: voter(2),
        refusal,
        epoch_seen: epoch(),
        last: position(),
        leader: Some(voter(1)),
        heard: 0b101,
    })
}

fn history() -> Vec<EpochStart> {
    vec![EpochStart {
        epoch: epoch(),
        start: Seq::new(200),
        link: link(0x22),
    }]
}

fn replication() -> Vec<Named> {
    let mut messages = vec![
        plain(ChannelMessage::Append(append(2))),
        ("probe".into(), ChannelMessage::Append(append(0))),
        plain(ChannelMessage::AppendAck(AppendAck {
            durable: Seq::new(306),
            durable_link: link(0x33),
            ack_generation: 1,
            credit: 4 << 20,
            disk_level: DiskLevel::Low,
        })),
    ];
    for code in [
        NackCode::Stale,
        NackCode::Gap,
        NackCode::Diverged,
        NackCode::DiskPressure,
        NackCode::Limbo,
        NackCode::Busy,
    ] {
        messages.push((
            format!("{code:?}"),
            ChannelMessage::AppendNack(AppendNack {
                code,
                tail: position(),
                history: history(),
            }),
        ));
    }
    messages
}

fn append(count: usize) -> Append {
    Append {
        previous: position(),
        commit: Seq::new(290),
        config_seq: Seq::new(0),
        batches: batches().into_iter().take(count).collect(),
    }
}

fn catch_up() -> Vec<Named> {
    let mut messages = vec![
        plain(ChannelMessage::FindPoint(FindPoint {
            request: 5,
            tail: position(),
            history: history(),
        })),
        ("none".into(), point_response(false)),
        ("some".into(), point_response(true)),
        plain(ChannelMessage::SyncChunk(SyncChunk {
            request: 6,
            log_start: Seq::new(1),
            commit: Seq::new(290),
            at_end: true,
            batches: batches(),
        })),
    ];
    for class in SYNC_CLASSES {
        messages.push((format!("{class:?}"), sync_request(class)));
    }
    for code in [
        SyncNackCode::NotLeader,
        SyncNackCode::Diverged,
        SyncNackCode::Trimmed,
        SyncNackCode::Busy,
        SyncNackCode::Unreadable,
    ] {
        messages.push((
            format!("{code:?}"),
            ChannelMessage::SyncNack(SyncNack {
                request: 6,
                code,
                log_start: Seq::new(1),
                retry_after_ms: 100,
            }),
        ));
    }
    messages
}

const SYNC_CLASSES: [SyncClass; 3] = [
    SyncClass::Live,
    SyncClass::Foreground,
    SyncClass::Background,
];

fn sync_request(class: SyncClass) -> ChannelMessage {
    ChannelMessage::SyncRequest(SyncRequest {
        request: 6,
        previous: position(),
        max_bytes: 1 << 20,
        class,
    })
}

fn point_response(found: bool) -> ChannelMessage {
    ChannelMessage::PointResponse(PointResponse {
        request: 5,
        point: found.then(position),
        log_start: Seq::new(1),
    })
}

fn repair() -> Vec<Named> {
    let bytes = Bytes::from_static(b"part of a segment");
    let snapshot = SnapshotHeader {
        start: position(),
        seq: Seq::new(320),
        len: 3 << 20,
        checksum: 0x1234_5678,
    };
    vec![
        plain(ChannelMessage::RepairRequest(RepairRequest {
            request: 7,
            ranges: vec![
                (Seq::new(301), Seq::new(303), Some(link(0x44))),
                (Seq::new(304), Seq::new(306), None),
            ],
        })),
        plain(ChannelMessage::RepairResponse(RepairResponse {
            request: 7,
            answers: vec![
                RepairAnswer::Have,
                RepairAnswer::Never,
                RepairAnswer::Unknown,
            ],
            batches: batches(),
        })),
        plain(ChannelMessage::SegOffer(SegOffer {
            base: Seq::new(301),
            previous: position(),
            last: position(),
            len: 64 << 20,
            hash: [0x55; 32],
        })),
        plain(ChannelMessage::SegRequest(SegRequest {
            request: 8,
            base: Seq::new(301),
            offset: 1 << 20,
            len: 1 << 19,
        })),
        plain(ChannelMessage::SegData(SegData {
            request: 8,
            offset: 1 << 20,
            crc: checksum::crc32c(&bytes),
            bytes: bytes.clone(),
        })),
        plain(ChannelMessage::SnapshotRequest(SnapshotRequest {
            request: 9,
            of: Some(snapshot),
            offset: 1 << 20,
        })),
        plain(ChannelMessage::SnapshotChunk(SnapshotChunk {
            request: 9,
            of: snapshot,
            offset: 1 << 20,
            bytes,
        })),
    ]
}

fn forks() -> Vec<Named> {
    let fork = ForkId::from_bytes([0x66; 16]);
    vec![
        plain(ChannelMessage::ForkReport(ForkReport {
            fork,
            base: position(),
            end: LogPosition {
                seq: Seq::new(350),
                ..position()
            },
            events: 50,
            bytes: 5_000,
        })),
        plain(ChannelMessage::ForkPull(ForkPull {
            request: 10,
            fork,
            from: Seq::new(301),
            max_bytes: 1 << 20,
        })),
        plain(ChannelMessage::ForkChunk(ForkChunk {
            request: 10,
            batches: batches(),
        })),
    ]
}
