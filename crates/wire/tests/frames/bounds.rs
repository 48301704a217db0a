//! The limits: each holds exactly, for the sender as well as for the reader, and what is read is
//! never more than the length of its frame allows.

use bytes::Bytes;
use serde::Serialize;
use tetrarch_wire::{
    Batch, ChannelConfig, DecodeError, EpochStart, Event, Frame, LogPosition, NodeId,
    ProducerEpoch, ProducerId, ProducerSeq, Seq, Voter,
    batch::{BatchDraft, EventBlock},
    frame::{
        AdminRequest, AppendNack, AppendedRun, CatalogCommand, ChannelFrame, ChannelMessage, Close,
        CloseCode, FindPoint, Forward, FrameHeader, FrameType, Goodbye, Hello, Metadata,
        MetadataResponse, NackCode, NodeRoute, Produce, ProduceAck, ProduceOutcome, Refused,
        RepairAnswer, RepairRequest, RepairResponse, RetryReason, SnapshotHeader, SnapshotRequest,
    },
    limits,
};

use crate::samples::{self, addressed, entry, hello, produce_request};

/// A frame that is read at its limit, and neither sent nor read beyond it.
struct Case {
    name: &'static str,
    limit: usize,
    /// The frame, and its body for the case that the codec itself refuses to write it.
    make: fn(usize) -> (Frame, Vec<u8>),
}

fn body(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap()
}

fn in_channel(message: ChannelMessage, body_of_message: &impl Serialize) -> (Frame, Vec<u8>) {
    let frame = addressed(message);
    let Frame::Channel(ChannelFrame { channel, epoch, .. }) = &frame else {
        unreachable!("it is addressed to a channel")
    };
    let body = body(&(channel, epoch, body_of_message));
    (frame, body)
}

fn text(len: usize) -> String {
    "x".repeat(len)
}

fn labels(count: usize) -> Vec<(String, String)> {
    vec![(String::from("zone"), String::from("a")); count]
}

fn position() -> LogPosition {
    samples::batches()[0].position()
}

fn epochs(count: usize) -> Vec<EpochStart> {
    let LogPosition { seq, epoch, link } = position();
    let start = seq;
    vec![EpochStart { epoch, start, link }; count]
}

fn with_hello(change: impl FnOnce(&mut Hello)) -> (Frame, Vec<u8>) {
    let mut value = hello();
    change(&mut value);
    let body = body(&value);
    (Frame::Hello(value), body)
}

fn goodbye(reason: usize, successors: usize) -> (Frame, Vec<u8>) {
    let value = Goodbye {
        reason: text(reason),
        successors: vec![NodeId::from_bytes([1; 16]); successors],
    };
    let body = body(&value);
    (Frame::Goodbye(value), body)
}

fn metadata(channels: usize, name: usize) -> (Frame, Vec<u8>) {
    let value = Metadata {
        request: 1,
        channels: vec![text(name); channels],
    };
    let body = body(&value);
    (Frame::Metadata(value), body)
}

fn admin(value: AdminRequest) -> (Frame, Vec<u8>) {
    let body = body(&value);
    (Frame::Admin(value), body)
}

fn repair_response(holes: usize) -> (Frame, Vec<u8>) {
    let value = RepairResponse {
        request: 1,
        answers: vec![RepairAnswer::Never; holes],
        batches: Vec::new(),
    };
    let head = (value.request, value.answers.clone());
    in_channel(ChannelMessage::RepairResponse(value), &head)
}

fn refused(detail: usize) -> (Frame, Vec<u8>) {
    let value = Refused {
        request: 1,
        reason: RetryReason::Invalid,
        retry_after_ms: None,
        leader: None,
        detail: text(detail),
    };
    let body = body(&value);
    (Frame::Refused(value), body)
}

fn session_cases() -> [Case; 8] {
    [
        Case {
            name: "node name",
            limit: limits::MAX_NAME_BYTES,
            make: |len| with_hello(|hello| hello.name = text(len)),
        },
        Case {
            name: "node address",
            limit: limits::MAX_TEXT_BYTES,
            make: |len| with_hello(|hello| hello.address = text(len)),
        },
        Case {
            name: "node labels",
            limit: limits::MAX_LABELS,
            make: |count| with_hello(|hello| hello.labels = labels(count)),
        },
        Case {
            name: "value of a label",
            limit: limits::MAX_TEXT_BYTES,
            make: |len| with_hello(|hello| hello.labels[0].1 = text(len)),
        },
        Case {
            name: "detail of a close",
            limit: limits::MAX_TEXT_BYTES,
            make: |len| {
                let value = Close {
                    code: CloseCode::Normal,
                    detail: text(len),
                };
                let body = body(&value);
                (Frame::Close(value), body)
            },
        },
        Case {
            name: "detail of a refusal",
            limit: limits::MAX_TEXT_BYTES,
            make: refused,
        },
        Case {
            name: "reason of a goodbye",
            limit: limits::MAX_TEXT_BYTES,
            make: |len| goodbye(len, 0),
        },
        Case {
            name: "successors",
            limit: limits::MAX_SUCCESSORS,
            make: |count| goodbye(0, count),
        },
    ]
}

fn channel_cases() -> [Case; 4] {
    [
        Case {
            name: "history of a refused append",
            limit: limits::MAX_EPOCH_HISTORY,
            make: |count| {
                let value = AppendNack {
                    code: NackCode::Diverged,
                    tail: position(),
                    history: epochs(count),
                };
                in_channel(ChannelMessage::AppendNack(value.clone()), &value)
            },
        },
        Case {
            name: "history of a truncation request",
            limit: limits::MAX_EPOCH_HISTORY,
            make: |count| {
                let value = FindPoint {
                    request: 1,
                    tail: position(),
                    history: epochs(count),
                };
                in_channel(ChannelMessage::FindPoint(value.clone()), &value)
            },
        },
        Case {
            name: "holes to repair",
            limit: limits::MAX_REPAIR_RANGES,
            make: |count| {
                let value = RepairRequest {
                    request: 1,
                    ranges: vec![(Seq::FIRST, Seq::FIRST, None); count],
                };
                in_channel(ChannelMessage::RepairRequest(value.clone()), &value)
            },
        },
        Case {
            name: "answers to a repair request",
            limit: limits::MAX_REPAIR_RANGES,
            make: repair_response,
        },
    ]
}

fn client_cases() -> [Case; 6] {
    [
        Case {
            name: "channels asked for",
            limit: limits::MAX_CHANNEL_ROWS,
            make: |count| metadata(count, 3),
        },
        Case {
            name: "name of a channel asked for",
            limit: limits::MAX_NAME_BYTES,
            make: |len| metadata(1, len),
        },
        Case {
            name: "name of a channel to delete",
            limit: limits::MAX_NAME_BYTES,
            make: |len| {
                admin(AdminRequest::DeleteChannel {
                    request: 1,
                    name: text(len),
                })
            },
        },
        Case {
            name: "name after which to list",
            limit: limits::MAX_NAME_BYTES,
            make: |len| {
                admin(AdminRequest::ListChannels {
                    request: 1,
                    after: Some(text(len)),
                    limit: 10,
                })
            },
        },
        Case {
            name: "client of a forwarded frame",
            limit: limits::MAX_TEXT_BYTES,
            make: |len| {
                let value = Forward {
                    request: 1,
                    client: text(len),
                    frame: Bytes::new(),
                };
                let body = body(&(value.request, &value.client));
                (Frame::Forward(value), body)
            },
        },
        Case {
            name: "runs of appended events",
            limit: limits::MAX_APPENDED_RUNS,
            make: |count| {
                let run = AppendedRun {
                    first: Seq::FIRST,
                    count: 1,
                    duplicate: false,
                };
                let value = ProduceAck {
                    request: 1,
                    outcome: ProduceOutcome::Appended {
                        epoch: position().epoch,
                        runs: vec![run; count],
                        link: position().link,
                        copies: 2,
                        degraded: false,
                    },
                };
                let body = body(&value);
                (Frame::ProduceAck(value), body)
            },
        },
    ]
}

#[test]
fn lists_and_texts_are_sent_and_read_up_to_their_limit_and_not_beyond() {
    let cases = session_cases()
        .into_iter()
        .chain(channel_cases())
        .chain(client_cases());
    for Case { name, limit, make } in cases {
        let (frame, body) = make(limit);
        let bytes = frame
            .to_bytes()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(&bytes[FrameHeader::LEN..], &body, "{name}");
        assert_eq!(Frame::from_bytes(bytes).as_ref(), Ok(&frame), "{name}");

        let (frame, body) = make(limit + 1);
        assert_too_large(name, limit, frame.to_bytes());
        let header = FrameHeader::new(frame.frame_type(), body.len()).unwrap();
        assert_too_large(name, limit, Frame::decode(header, body.into()));
    }
}

fn assert_too_large<T: std::fmt::Debug>(
    name: &str,
    expected: usize,
    result: Result<T, DecodeError>,
) {
    match result {
        Err(DecodeError::TooLarge { size, limit, .. }) => {
            assert_eq!(
                (size, limit),
                (expected as u64 + 1, expected as u64),
                "{name}"
            );
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn the_limits_are_those_that_peers_rely_on() {
    let limits = [
        limits::MAX_BATCH_BYTES,
        limits::MAX_BATCH_EVENTS as usize,
        limits::MAX_EVENT_BYTES,
        limits::MAX_EVENT_HEADERS as usize,
        limits::MAX_CONTROL_FRAME,
        limits::MAX_DATA_FRAME,
        limits::MAX_FORWARD_FRAME,
        limits::MAX_EPOCH_HISTORY,
        limits::MAX_BEAT_ROWS,
        limits::MAX_VOTERS,
        limits::MAX_NODES,
        limits::MAX_CHANNEL_ROWS,
        limits::MAX_SUCCESSORS,
        limits::MAX_REPAIR_RANGES,
        limits::MAX_NAME_BYTES,
        limits::MAX_LABELS,
        limits::MAX_TEXT_BYTES,
        limits::MAX_FRAME_BATCHES,
    ];
    assert_eq!(
        limits,
        [
            1_048_576, 8_192, 1_048_320, 64, 65_536, 1_052_672, 1_056_776, 16, 512, 9, 1_024,
            1_024, 16, 256, 255, 32, 1_024, 8_192
        ]
    );
}

#[test]
fn every_type_refuses_a_longer_body_than_its_own_limit() {
    for frame_type in FrameType::ALL {
        let limit = frame_type.max_body();
        assert!(FrameHeader::new(*frame_type, limit).is_ok());
        assert!(FrameHeader::new(*frame_type, limit + 1).is_err());
        for len in [limit + 1, u32::MAX as usize] {
            let mut header = u32::try_from(len).unwrap().to_le_bytes().to_vec();
            header.extend([*frame_type as u8, 1, 0, 0]);
            assert!(
                matches!(
                    FrameHeader::decode(&header),
                    Err(DecodeError::TooLarge { .. })
                ),
                "{frame_type:?}"
            );
        }
    }
}

#[test]
fn unknown_types_versions_and_flags_are_refused() {
    let known: Vec<u8> = FrameType::ALL.iter().map(|known| *known as u8).collect();
    for code in 0..=u8::MAX {
        let result = FrameHeader::decode(&[0, 0, 0, 0, code, 1, 0, 0]);
        assert_eq!(result.is_ok(), known.contains(&code), "{code:#04x}");
    }
    for changed in [
        [0, 0, 0, 0, 0x01, 0, 0, 0],
        [0, 0, 0, 0, 0x01, 2, 0, 0],
        [0, 0, 0, 0, 0x01, 1, 1, 0],
        [0, 0, 0, 0, 0x01, 1, 0, 0x80],
    ] {
        assert!(matches!(
            FrameHeader::decode(&changed),
            Err(DecodeError::UnknownValue { .. })
        ));
    }
}

#[test]
fn lists_within_their_limits_are_refused_when_together_they_exceed_the_frame() {
    let names = metadata(limits::MAX_CHANNEL_ROWS, limits::MAX_NAME_BYTES).0;
    let route = NodeRoute {
        node: NodeId::from_bytes([1; 16]),
        name: text(limits::MAX_NAME_BYTES),
        address: text(limits::MAX_TEXT_BYTES),
        alive: true,
    };
    let nodes = Frame::MetadataResponse(MetadataResponse {
        request: 1,
        channels: Vec::new(),
        nodes: vec![route; limits::MAX_NODES],
    });
    for frame in [names, nodes] {
        let limit = frame.frame_type().max_body() as u64;
        match frame.to_bytes() {
            Err(DecodeError::TooLarge { limit: found, .. }) => assert_eq!(found, limit),
            other => panic!("{other:?}"),
        }
    }
}

fn largest_block() -> EventBlock {
    let mut builder = EventBlock::builder();
    // One byte of flags and three of length, and the largest event is reached exactly.
    let payload = vec![7; limits::MAX_EVENT_BYTES - 4];
    builder.push(&Event::new(payload.into())).unwrap();
    builder.finish()
}

fn largest_batch() -> Batch {
    BatchDraft::data(
        ProducerId::ANONYMOUS,
        ProducerEpoch::default(),
        ProducerSeq::ZERO,
        largest_block(),
    )
    .seal(&position(), position().epoch, 0)
}

#[test]
fn the_largest_event_fits_every_frame_on_its_way() {
    let produce = Frame::Produce(Produce {
        events: largest_block(),
        ..produce_request()
    });
    let forward = Frame::Forward(Forward {
        request: 1,
        client: text(limits::MAX_TEXT_BYTES),
        frame: produce.to_bytes().unwrap(),
    });
    let mut frames = vec![produce, forward];
    for (_, mut frame) in samples::frames() {
        let batches = match &mut frame {
            Frame::FetchResponse(body) => &mut body.batches,
            Frame::Deliver(body) => &mut body.batches,
            Frame::Channel(body) => match &mut body.message {
                ChannelMessage::Append(body) => &mut body.batches,
                ChannelMessage::SyncChunk(body) => &mut body.batches,
                ChannelMessage::RepairResponse(body) => &mut body.batches,
                _ => continue,
            },
            _ => continue,
        };
        *batches = vec![largest_batch()];
        frames.push(frame);
    }
    assert_eq!(frames.len(), 2 + 7);
    for frame in frames {
        let bytes = frame.to_bytes().unwrap();
        assert_eq!(Frame::from_bytes(bytes), Ok(frame));
    }
}

#[test]
fn a_produce_request_without_events_or_with_impossible_numbers_is_neither_sent_nor_read() {
    let good = produce_request();
    let empty = Produce {
        events: EventBlock::EMPTY,
        ..good
    };
    let zero = Produce {
        base_producer_seq: ProducerSeq::ZERO,
        ..good.clone()
    };
    let beyond = Produce {
        base_producer_seq: ProducerSeq::new(u64::MAX - 1),
        ..good
    };
    for bad in [empty, zero, beyond] {
        let head = (
            (bad.request, bad.channel, bad.producer, bad.producer_epoch),
            (bad.base_producer_seq, bad.events.count(), bad.events.crc()),
        );
        let body = [body(&head), bad.events.bytes().to_vec()].concat();
        let header = FrameHeader::new(FrameType::Produce, body.len()).unwrap();
        for result in [
            Frame::decode(header, body.into()).map(|_| ()),
            Frame::Produce(bad).to_bytes().map(|_| ()),
        ] {
            assert!(
                matches!(result, Err(DecodeError::Invalid { .. })),
                "{result:?}"
            );
        }
    }
}

#[test]
fn a_snapshot_that_no_log_can_have_is_neither_asked_for_nor_read() {
    let start = position();
    let good = SnapshotHeader {
        start,
        seq: start.seq,
        len: limits::MAX_SNAPSHOT_BYTES as u64,
        checksum: 0,
    };
    let too_long = SnapshotHeader {
        len: good.len + 1,
        ..good
    };
    let before_its_log = SnapshotHeader {
        seq: start.seq.previous(),
        ..good
    };
    for (of, is_good) in [(good, true), (too_long, false), (before_its_log, false)] {
        let ask = SnapshotRequest {
            request: 1,
            of: Some(of),
            offset: 0,
        };
        let (frame, body) = in_channel(ChannelMessage::SnapshotRequest(ask), &ask);
        let header = FrameHeader::new(FrameType::SnapshotRequest, body.len()).unwrap();
        assert_eq!(Frame::decode(header, body.into()).is_ok(), is_good);
        assert_eq!(frame.to_bytes().is_ok(), is_good);
    }
}

#[test]
fn a_catalog_entry_cannot_smuggle_in_a_configuration_that_is_none() {
    #[derive(Serialize)]
    struct Config {
        seq: Seq,
        class: tetrarch_wire::ChannelClass,
        version: u64,
        voters: Vec<Voter>,
    }
    let good = entry();
    let encode = |voters| {
        let config = Config {
            seq: Seq::ZERO,
            class: good.genesis.class,
            version: 0,
            voters,
        };
        let entry = (&good.name, good.uid, &config, good.retention);
        let rest = (&good.filter, good.first_leader);
        (body(&config), [vec![0], body(&(entry, rest))].concat())
    };
    let voters = good.genesis.voters();
    let (config, command) = encode(voters.to_vec());
    assert_eq!(ChannelConfig::decode(&config).as_ref(), Ok(&good.genesis));
    let read = CatalogCommand::decode(&command);
    assert_eq!(read, Ok(CatalogCommand::Create(good.clone())));
    for bad in [
        Vec::new(),
        vec![voters[0]; 2],
        voters.iter().rev().copied().collect(),
        vec![voters[0]; limits::MAX_VOTERS + 1],
    ] {
        let (config, command) = encode(bad);
        let refusal = ChannelConfig::decode(&config).unwrap_err();
        assert_eq!(CatalogCommand::decode(&command), Err(refusal));
    }
}
