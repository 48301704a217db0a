//! Frames about the connection and the nodes at its ends.

use tetrarch_wire::{
    Boot, ClusterId, Frame, ReplicaRole, Seq, StoreId,
    frame::{
        BeatAck, BeatAckRow, ChannelBeat, Close, CloseCode, Credit, DiskLevel, Goodbye, Hello,
        NodeBeat, Refused, RetryReason, TablePage, TableRequest,
    },
};

use super::{epoch, named, node, plain, uid};

pub(super) fn frames() -> Vec<(String, Frame)> {
    let mut frames = vec![
        plain(Frame::Hello(hello())),
        plain(Frame::HelloAck(Hello {
            labels: Vec::new(),
            ..hello()
        })),
        plain(Frame::BeatAck(beat_ack())),
        plain(Frame::TableRequest(TableRequest {
            generation_seen: 400,
        })),
        plain(Frame::TablePage(TablePage {
            boot: Boot::new(3),
            generation: 401,
            page: 1,
            pages: 2,
            rows: vec![row(ReplicaRole::Leader)],
        })),
        plain(Frame::Credit(Credit { bytes: 1 << 20 })),
        plain(Frame::Goodbye(Goodbye {
            reason: "maintenance".into(),
            successors: vec![node(2), node(3)],
        })),
    ];
    frames.extend(DISK_LEVELS.map(|level| named(level.name(), Frame::NodeBeat(beat(level)))));
    frames.extend(CloseCode::ALL.map(|code| named(code.name(), Frame::Close(close(code)))));
    frames
        .extend(RETRY_REASONS.map(|reason| named(reason.name(), Frame::Refused(refused(reason)))));
    frames
}

const DISK_LEVELS: [DiskLevel; 4] = [
    DiskLevel::Green,
    DiskLevel::Low,
    DiskLevel::Critical,
    DiskLevel::Full,
];

pub(super) const RETRY_REASONS: [RetryReason; 12] = [
    RetryReason::NotLeader,
    RetryReason::NoLeader,
    RetryReason::Draining,
    RetryReason::QueueFull,
    RetryReason::Starting,
    RetryReason::UnknownChannel,
    RetryReason::Invalid,
    RetryReason::Denied,
    RetryReason::Internal,
    RetryReason::Exists,
    RetryReason::NoPlacement,
    RetryReason::Diverged,
];

pub(crate) fn hello() -> Hello {
    Hello {
        protocol: Hello::PROTOCOL,
        cluster: ClusterId::from_bytes([0xCC; 16]),
        node: node(1),
        store: StoreId::from_bytes([0x51; 16]),
        boot: Boot::new(3),
        features: 0,
        max_frame: 1_052_672,
        mono_now_ns: 123_456_789_012,
        name: "n1".into(),
        address: "127.0.0.1:7101".into(),
        labels: vec![("zone".into(), "a".into())],
    }
}

fn row(role: ReplicaRole) -> ChannelBeat {
    ChannelBeat {
        channel: uid(),
        role,
        epoch: epoch(),
        durable: Seq::new(298),
        tail: Seq::new(300),
        commit: Seq::new(297),
    }
}

fn beat(disk_level: DiskLevel) -> NodeBeat {
    NodeBeat {
        boot: Boot::new(3),
        number: 1_000,
        page: 0,
        pages: 1,
        mono_ns: 123_456_789_012,
        echo: Some((999, 1_500)),
        disk_level,
        free_bytes: 1 << 40,
        wal_stall_ms: 12,
        table_generation: 401,
        table_count: 4,
        table_hash: 0x0123_4567_89AB_CDEF,
        rows: ReplicaRole::ALL.map(row).to_vec(),
    }
}

fn beat_ack() -> BeatAck {
    BeatAck {
        boot: Boot::new(3),
        number: 1_000,
        table_generation_seen: 401,
        rows: vec![BeatAckRow {
            channel: uid(),
            durable: Seq::new(296),
        }],
        refused: vec![uid()],
    }
}

fn close(code: CloseCode) -> Close {
    Close {
        code,
        detail: "why".into(),
    }
}

pub(super) fn refused(reason: RetryReason) -> Refused {
    Refused {
        request: 9,
        reason,
        retry_after_ms: Some(250),
        leader: Some(node(2)),
        detail: "why".into(),
    }
}
