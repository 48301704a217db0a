//! Operators' commands and their answers.

use tetrarch_wire::{
    ChannelClass, Frame, ReplicaRole, Retention, Seq,
    frame::{
        AdminRequest, AdminResponse, ChannelStatus, CreateChannel, DiskLevel, Moving, NodeStatus,
        Placement, ReplicaStatus, RetryReason, StatusPage,
    },
};

use super::{
    epoch, named, node,
    session::refused,
    stored::{entry, filter},
    uid,
};

pub(super) fn frames() -> Vec<(String, Frame)> {
    let requests = requests().map(|(name, request)| named(name, Frame::Admin(request)));
    let answers = answers().map(|(name, answer)| named(name, Frame::AdminResponse(answer)));
    [requests.to_vec(), answers.to_vec()].concat()
}

fn requests() -> [(&'static str, AdminRequest); 8] {
    let (request, name) = (21, String::from("orders"));
    [
        (
            "create",
            AdminRequest::CreateChannel {
                request,
                channel: CreateChannel {
                    name: name.clone(),
                    class: ChannelClass::Quorum,
                    replicas: 3,
                    filter: filter(),
                    retention: Retention::FOREVER,
                },
            },
        ),
        (
            "alter",
            AdminRequest::AlterChannel {
                request,
                name: name.clone(),
                retention: Retention::FOREVER,
            },
        ),
        (
            "delete",
            AdminRequest::DeleteChannel {
                request,
                name: name.clone(),
            },
        ),
        (
            "move",
            AdminRequest::MoveChannel {
                request,
                name: name.clone(),
                nodes: vec![node(1), node(4)],
            },
        ),
        (
            "drain",
            AdminRequest::Drain {
                request,
                node: node(4),
                is_drained: true,
            },
        ),
        (
            "list",
            AdminRequest::ListChannels {
                request,
                after: Some(name.clone()),
                limit: 100,
            },
        ),
        (
            "relinquish",
            AdminRequest::Relinquish {
                request,
                name: name.clone(),
                to: Some(node(2)),
            },
        ),
        (
            "status",
            AdminRequest::Status {
                request,
                channel: Some(name),
                after: None,
                limit: 100,
            },
        ),
    ]
}

fn answers() -> [(&'static str, AdminResponse); 6] {
    let request = 21;
    [
        ("done", AdminResponse::Done { request }),
        (
            "created",
            AdminResponse::Created {
                request,
                channel: entry(),
            },
        ),
        (
            "channels",
            AdminResponse::Channels {
                request,
                channels: vec![entry()],
                next: Some("orders".into()),
            },
        ),
        (
            "moving",
            AdminResponse::Moving {
                request,
                placement: placement(),
            },
        ),
        (
            "status",
            AdminResponse::Status {
                request,
                page: status(),
            },
        ),
        (
            "refused",
            AdminResponse::Refused(refused(RetryReason::Exists)),
        ),
    ]
}

fn status() -> StatusPage {
    StatusPage {
        asked: "n1".into(),
        nodes: vec![NodeStatus {
            name: "n1".into(),
            id: node(1),
            address: "127.0.0.1:7101".into(),
            alive: true,
            disk_level: Some(DiskLevel::Green),
            free_bytes: None,
            is_drained: true,
        }],
        channels: vec![channel()],
        next: None,
    }
}

fn placement() -> Placement {
    Placement {
        version: 3,
        is_settled: false,
    }
}

fn channel() -> ChannelStatus {
    ChannelStatus {
        name: "orders".into(),
        uid: uid(),
        class: ChannelClass::Quorum,
        retention: Retention::FOREVER,
        epoch: Some(epoch()),
        leader: Some("n1".into()),
        log_start: Some(Seq::new(1)),
        tail: Some(Seq::new(306)),
        commit: Some(Seq::new(303)),
        halted: Some("rotten".into()),
        limbo: Some("rot".into()),
        placement: placement(),
        replicas: vec![ReplicaStatus {
            node: "n2".into(),
            role: Some(ReplicaRole::Replica),
            moving: Some(Moving::In),
            tail: Some(Seq::new(303)),
            lag_events: Some(3),
            lag_ms: None,
        }],
    }
}
