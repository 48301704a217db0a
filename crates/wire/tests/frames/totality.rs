//! Any bytes are a frame or a typed error: never a panic, never a value that its own codec would
//! not take.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use tetrarch_wire::{
    DecodeError, Frame,
    frame::{FrameHeader, FrameType},
};

use crate::samples;

/// Types whose body ends in bytes that have no structure of their own at this level.
const OPEN_ENDED: [FrameType; 3] = [
    FrameType::SegData,
    FrameType::SnapshotChunk,
    FrameType::Forward,
];

/// Types whose body ends in a run of whole batches, which may be cut between two of them.
const BATCHES: [FrameType; 6] = [
    FrameType::Append,
    FrameType::SyncChunk,
    FrameType::ForkChunk,
    FrameType::RepairResponse,
    FrameType::FetchResponse,
    FrameType::Deliver,
];

type Golden = (String, FrameType, Bytes);

fn goldens() -> &'static [Golden] {
    static GOLDENS: LazyLock<Vec<Golden>> = LazyLock::new(|| {
        samples::frames()
            .into_iter()
            .map(|(name, frame)| (name, frame.frame_type(), frame.to_bytes().unwrap()))
            .collect()
    });
    &GOLDENS
}

/// Reads bytes as the body of a frame whose header announces exactly so many.
fn decode_body(frame_type: FrameType, body: Bytes) -> Result<Frame, DecodeError> {
    Frame::decode(FrameHeader::new(frame_type, body.len())?, body)
}

/// What was read can be written, and reads back as itself.
fn assert_faithful(frame: &Frame) {
    let bytes = frame.to_bytes().expect("what was read can be written");
    assert_eq!(Frame::from_bytes(bytes).as_ref(), Ok(frame));
}

#[test]
fn every_truncation_is_an_error() {
    for (name, _, bytes) in goldens() {
        for len in 0..bytes.len() {
            let cut = bytes.slice(..len);
            assert!(Frame::from_bytes(cut).is_err(), "{name} cut to {len}");
        }
    }
}

#[test]
fn every_truncation_with_a_fitting_header_is_an_error_or_fewer_batches() {
    for (name, frame_type, bytes) in goldens() {
        if OPEN_ENDED.contains(frame_type) {
            continue;
        }
        let body = bytes.slice(FrameHeader::LEN..);
        for len in 0..body.len() {
            match decode_body(*frame_type, body.slice(..len)) {
                Err(_) => {}
                Ok(frame) if BATCHES.contains(frame_type) => assert_faithful(&frame),
                Ok(frame) => panic!("{name} cut to {len} is {frame:?}"),
            }
        }
    }
}

#[test]
fn every_trailing_byte_is_an_error() {
    for (name, frame_type, bytes) in goldens() {
        for extra in [0, 1, 0xFF] {
            let longer = Bytes::from([&bytes[..], &[extra]].concat());
            assert!(
                matches!(
                    Frame::from_bytes(longer.clone()),
                    Err(DecodeError::TrailingBytes { count: 1, .. })
                ),
                "{name}"
            );
            if !OPEN_ENDED.contains(frame_type) {
                let body = longer.slice(FrameHeader::LEN..);
                assert!(decode_body(*frame_type, body).is_err(), "{name}");
            }
        }
    }
}

#[test]
fn every_flipped_bit_gives_an_error_or_a_frame_that_holds_together() {
    for (_, _, bytes) in goldens() {
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(frame) = Frame::from_bytes(damaged.into()) {
                assert_faithful(&frame);
            }
        }
    }
}

#[test]
fn events_and_batches_in_a_frame_are_covered_by_checksums() {
    let covered = [FrameType::Append, FrameType::Deliver, FrameType::Produce];
    for (name, frame_type, bytes) in goldens() {
        if !covered.contains(frame_type) || name.contains('.') {
            continue;
        }
        let last = bytes.len() - 1;
        let mut damaged = bytes.to_vec();
        damaged[last] ^= 1;
        let result = Frame::from_bytes(damaged.into());
        assert!(
            matches!(result, Err(DecodeError::Checksum { .. })),
            "{name}: {result:?}"
        );
    }
}

fn frame_type() -> impl Strategy<Value = FrameType> {
    prop::sample::select(FrameType::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(frame) = Frame::from_bytes(bytes.into()) {
            assert_faithful(&frame);
        }
    }

    #[test]
    fn any_body_of_any_type_is_a_frame_or_an_error(
        frame_type in frame_type(),
        body in prop::collection::vec(any::<u8>(), 0..512),
    ) {
        if let Ok(frame) = decode_body(frame_type, body.into()) {
            assert_faithful(&frame);
        }
    }

    #[test]
    fn a_golden_with_a_part_replaced_is_a_frame_or_an_error(
        sample: prop::sample::Index,
        at: prop::sample::Index,
        part in prop::collection::vec(any::<u8>(), 1..16),
    ) {
        let (_, frame_type, bytes) = sample.get(goldens());
        let mut body = bytes[FrameHeader::LEN..].to_vec();
        let at = at.index(body.len() + 1);
        let end = body.len().min(at + part.len());
        body.splice(at..end, part);
        if let Ok(frame) = decode_body(*frame_type, body.into()) {
            assert_faithful(&frame);
        }
    }

    #[test]
    fn the_body_of_one_type_read_as_another_is_a_frame_or_an_error(
        sample: prop::sample::Index,
        frame_type in frame_type(),
    ) {
        let body = sample.get(goldens()).2.slice(FrameHeader::LEN..);
        if let Ok(frame) = decode_body(frame_type, body) {
            assert_faithful(&frame);
        }
    }
}
