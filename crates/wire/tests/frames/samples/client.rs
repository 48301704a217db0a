//! Frames between clients and nodes.

use tetrarch_wire::{
    ChannelClass, Frame, MinCopies, ProducerEpoch, ProducerId, ProducerSeq, Retention, Seq,
    frame::{
        AppendedRun, ChannelRoute, Deliver, Fetch, FetchResponse, Forward, Metadata,
        MetadataResponse, NodeRoute, Produce, ProduceAck, ProduceOutcome, ReadIndex,
        ReadIndexResponse, ReadMode, StartFrom, Subscribe, SubscribeCredit,
    },
};

use super::{
    batches, epoch, events, link, named, node, plain, position, session::RETRY_REASONS, uid, voter,
};

pub(super) fn frames() -> Vec<(String, Frame)> {
    [produce(), read(), metadata()].concat()
}

pub(crate) fn produce_request() -> Produce {
    Produce {
        request: 12,
        channel: uid(),
        producer: ProducerId::from_bytes([0xAB; 16]),
        producer_epoch: ProducerEpoch::new(2),
        base_producer_seq: ProducerSeq::new(11),
        events: events(),
    }
}

fn produce() -> Vec<(String, Frame)> {
    let inner = Frame::Produce(produce_request());
    let mut frames = vec![
        plain(Frame::Forward(Forward {
            request: 13,
            client: "spiffe://mesh/client/app".into(),
            frame: inner.to_bytes().unwrap(),
        })),
        plain(inner),
    ];
    for reason in RETRY_REASONS {
        frames.push(named(
            &format!("retry.{}", reason.name()),
            ack(ProduceOutcome::Retry {
                reason,
                after_ms: 250,
                leader: None,
            }),
        ));
    }
    frames.extend(outcomes().map(|(name, outcome)| named(name, ack(outcome))));
    frames
}

fn ack(outcome: ProduceOutcome) -> Frame {
    Frame::ProduceAck(ProduceAck {
        request: 12,
        outcome,
    })
}

fn outcomes() -> [(&'static str, ProduceOutcome); 8] {
    let run = |first, duplicate| AppendedRun {
        first: Seq::new(first),
        count: 3,
        duplicate,
    };
    [
        (
            "appended",
            ProduceOutcome::Appended {
                epoch: epoch(),
                runs: vec![run(301, true), run(310, false)],
                link: link(0x88),
                copies: 2,
                degraded: false,
            },
        ),
        ("indeterminate", ProduceOutcome::Indeterminate),
        ("storage_full", ProduceOutcome::StorageFull),
        (
            "out_of_order",
            ProduceOutcome::OutOfOrder {
                expected: ProducerSeq::new(9),
            },
        ),
        (
            "fenced",
            ProduceOutcome::Fenced {
                current: ProducerEpoch::new(3),
            },
        ),
        ("too_large", ProduceOutcome::TooLarge { limit: 1_048_320 }),
        ("denied", ProduceOutcome::Denied),
        ("unknown_channel", ProduceOutcome::UnknownChannel),
    ]
}

fn read() -> Vec<(String, Frame)> {
    let mut frames = vec![
        plain(Frame::FetchResponse(FetchResponse {
            request: 14,
            commit: Seq::new(306),
            log_start: Seq::new(1),
            batches: batches(),
        })),
        plain(Frame::ReadIndex(ReadIndex {
            request: 15,
            channel: uid(),
        })),
        plain(Frame::ReadIndexResponse(ReadIndexResponse {
            request: 15,
            epoch: epoch(),
            commit: Seq::new(306),
        })),
        plain(Frame::Deliver(deliver(2))),
        named("news", Frame::Deliver(deliver(0))),
        plain(Frame::SubscribeCredit(SubscribeCredit { bytes: 1 << 20 })),
    ];
    for mode in [ReadMode::Committed, ReadMode::Linearizable, ReadMode::Local] {
        let name = format!("{mode:?}");
        frames.push(named(&name, Frame::Fetch(fetch(mode))));
    }
    for (name, from) in [
        ("start", StartFrom::Start),
        ("now", StartFrom::Now),
        ("seq", StartFrom::Seq(Seq::new(42))),
        ("after", StartFrom::After(position())),
    ] {
        frames.push(named(name, Frame::Subscribe(subscribe(from))));
    }
    frames
}

fn deliver(count: usize) -> Deliver {
    Deliver {
        commit: Seq::new(306),
        log_start: Seq::new(1),
        batches: batches().into_iter().take(count).collect(),
    }
}

fn fetch(mode: ReadMode) -> Fetch {
    Fetch {
        request: 14,
        channel: uid(),
        from: StartFrom::Start,
        mode,
        max_bytes: 1 << 20,
        wait_ms: 500,
    }
}

fn subscribe(from: StartFrom) -> Subscribe {
    Subscribe {
        channel: uid(),
        from,
        mode: ReadMode::Committed,
        credit: 4 << 20,
    }
}

fn metadata() -> Vec<(String, Frame)> {
    let route = |name: &str, class| ChannelRoute {
        name: name.into(),
        uid: uid(),
        class,
        retention: Retention {
            max_age_ms: Some(3_600_000),
            max_bytes: None,
            max_events: Some(1_000_000),
        },
        epoch: epoch(),
        leader: Some(node(1)),
        replicas: vec![(node(1), voter(1)), (node(2), voter(2))],
    };
    vec![
        plain(Frame::Metadata(Metadata {
            request: 16,
            channels: vec!["orders".into()],
        })),
        plain(Frame::MetadataResponse(MetadataResponse {
            request: 16,
            channels: vec![
                route("orders", ChannelClass::Quorum),
                route("telemetry", ChannelClass::Available(MinCopies::ONE)),
            ],
            nodes: vec![NodeRoute {
                node: node(1),
                name: "n1".into(),
                address: "127.0.0.1:7101".into(),
                alive: true,
            }],
        })),
    ]
}
