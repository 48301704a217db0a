//! Frames that arrive in pieces, and frames that are sent in pieces.

use bytes::Bytes;
use proptest::prelude::*;
use tetrarch_wire::{
    DecodeError, Event, Frame, ProducerEpoch, ProducerId, ProducerSeq,
    batch::{BatchDraft, EventBlock},
    frame::{Deliver, FrameBuffer, FrameReader, FrameType},
};

use crate::samples;

/// Everything that the reader can give now.
fn drain(reader: &mut FrameReader) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        frames.push(frame);
    }
    frames
}

fn stream() -> (Vec<Frame>, Vec<u8>) {
    let frames: Vec<Frame> = samples::frames().into_iter().map(|(_, f)| f).collect();
    let mut buffer = FrameBuffer::default();
    for frame in &frames {
        frame.encode(&mut buffer).unwrap();
    }
    let size = buffer.size();
    let bytes = buffer.take().concat();
    assert_eq!(bytes.len(), size);
    assert!(buffer.is_empty());
    (frames, bytes)
}

#[test]
fn a_frame_cut_at_any_byte_is_read_once_its_last_byte_is_there() {
    let (frames, _) = stream();
    let next = frames[0].to_bytes().unwrap();
    for frame in frames {
        let bytes = frame.to_bytes().unwrap();
        for cut in 0..bytes.len() {
            let mut reader = FrameReader::default();
            reader.extend(&bytes[..cut]);
            assert_eq!(reader.next_frame(), Ok(None));
            assert_eq!(reader.is_mid_frame(), cut > 0);
            reader.extend(&bytes[cut..]);
            reader.extend(&next[..1]);
            assert_eq!(reader.next_frame().as_ref(), Ok(&Some(frame.clone())));
            assert_eq!(reader.next_frame(), Ok(None));
            assert!(reader.is_mid_frame());
        }
    }
}

#[test]
fn a_stream_is_read_byte_by_byte_and_all_at_once() {
    let (frames, bytes) = stream();
    let mut reader = FrameReader::default();
    let mut read = Vec::new();
    for byte in &bytes {
        reader.extend(std::slice::from_ref(byte));
        read.extend(drain(&mut reader));
    }
    assert_eq!(read, frames);
    reader.extend(&bytes);
    assert_eq!(drain(&mut reader), frames);
    assert!(!reader.is_mid_frame());
}

#[test]
fn a_bad_frame_is_reported_after_the_good_ones_before_it_and_again_each_time() {
    let good = samples::frames().remove(0).1;
    let mut bytes = good.to_bytes().unwrap().to_vec();
    bytes.extend([0, 0, 0, 0, 0xEE, 1, 0, 0]);
    let mut reader = FrameReader::default();
    reader.extend(&bytes);
    assert_eq!(reader.next_frame(), Ok(Some(good)));
    for _ in 0..2 {
        assert_eq!(
            reader.next_frame(),
            Err(DecodeError::UnknownValue {
                what: "frame type",
                value: 0xEE
            })
        );
    }
}

#[test]
fn a_long_batch_is_passed_on_without_a_copy() {
    let mut builder = EventBlock::builder();
    builder
        .push(&Event::new(Bytes::from(vec![7; 100_000])))
        .unwrap();
    let first = samples::batches().remove(0);
    let long = BatchDraft::data(
        ProducerId::ANONYMOUS,
        ProducerEpoch::default(),
        ProducerSeq::ZERO,
        builder.finish(),
    )
    .seal(&first.position(), first.epoch(), 0);
    let body = long.chunks()[1].clone();
    let frame = Frame::Deliver(Deliver {
        commit: long.last_seq(),
        log_start: first.base_seq(),
        batches: vec![first.clone(), long, first],
    });
    let mut buffer = FrameBuffer::default();
    frame.encode(&mut buffer).unwrap();
    let pieces = buffer.take();
    assert_eq!(pieces.len(), 3, "before, the long body itself, after");
    assert_eq!(pieces[1].as_ptr(), body.as_ptr());
    let mut reader = FrameReader::default();
    reader.extend(&pieces.concat());
    assert_eq!(reader.next_frame(), Ok(Some(frame)));
}

#[test]
fn a_frame_that_cannot_be_sent_leaves_the_buffer_as_it_was() {
    let mut buffer = FrameBuffer::default();
    let good = samples::frames().remove(0).1;
    good.encode(&mut buffer).unwrap();
    let size = buffer.size();
    let reason = "x".repeat(tetrarch_wire::limits::MAX_TEXT_BYTES + 1);
    let bad = Frame::Goodbye(tetrarch_wire::frame::Goodbye {
        reason,
        successors: Vec::new(),
    });
    assert_eq!(bad.frame_type(), FrameType::Goodbye);
    assert!(bad.encode(&mut buffer).is_err());
    assert_eq!(buffer.size(), size);
    assert_eq!(buffer.take().concat(), good.to_bytes().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_cut_anyhow_gives_the_same_frames(sizes in prop::collection::vec(1..900_usize, 1..40)) {
        let (frames, bytes) = stream();
        let mut reader = FrameReader::default();
        let mut read = Vec::new();
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            let (piece, left) = rest.split_at(rest.len().min(*size));
            reader.extend(piece);
            read.extend(drain(&mut reader));
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(read, frames);
    }
}
