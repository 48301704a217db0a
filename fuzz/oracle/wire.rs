//! What must hold of any bytes that reach a decoder of `tetrarch-wire`.

use bytes::Bytes;
use tetrarch_wire::{
    Batch, ChannelConfig, Frame,
    batch::{self, EventBlock},
    frame::{CatalogCommand, FrameReader},
};

/// One target: its name, which is also its folder in `corpus/`, and what must hold.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] = [
    ("frame", frame),
    ("stream", stream),
    ("batch", batches),
    ("events", events),
    ("stored", stored),
];

/// One frame in a datagram: what is read can be written, and reads back as itself.
pub fn frame(bytes: &[u8]) {
    if let Ok(frame) = Frame::from_bytes(Bytes::copy_from_slice(bytes)) {
        faithful(&frame);
    }
}

/// Frames on a stream: how the bytes are cut makes no difference.
pub fn stream(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = read(&[bytes]);
    let middle = usize::from(*cut).min(bytes.len());
    assert_eq!(read(&[&bytes[..middle], &bytes[middle..]]), whole);
    whole.iter().for_each(faithful);
}

fn read(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut reader = FrameReader::default();
    let mut frames = Vec::new();
    for piece in pieces {
        reader.extend(piece);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                // Nothing after it can be read.
                Err(_) => return frames,
            }
        }
    }
    frames
}

fn faithful(frame: &Frame) {
    let bytes = frame.to_bytes().expect("what was read can be written");
    let again = Frame::from_bytes(bytes).expect("what was written can be read");
    assert_eq!(&again, frame);
}

/// Batches in a row: each keeps its exact bytes, and its body is what its kind promises or a typed
/// error.
pub fn batches(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(batches) = batch::decode_all(bytes.clone()) else {
        return;
    };
    let rewritten: Vec<u8> = batches
        .iter()
        .flat_map(Batch::chunks)
        .flatten()
        .copied()
        .collect();
    assert_eq!(rewritten, bytes);
    for batch in &batches {
        assert!(batch.last_seq() >= batch.base_seq());
        if let Ok(events) = batch.events() {
            assert_eq!(events.iter().count(), events.count() as usize);
        }
        if let Ok(Some(control)) = batch.control() {
            assert_eq!(control.kind(), batch.kind());
        }
        if let Ok(origin) = batch.origin() {
            assert_eq!(origin.is_some(), batch.header().has_origin);
        }
    }
}

/// Events as a client sends them: those that pass can be taken apart and put together again.
pub fn events(bytes: &[u8]) {
    let Some((count, bytes)) = bytes.split_first() else {
        return;
    };
    let Ok(block) = EventBlock::check(Bytes::copy_from_slice(bytes), u32::from(*count)) else {
        return;
    };
    let mut builder = EventBlock::builder();
    for event in block.iter() {
        builder
            .push(&event)
            .expect("an event that passed fits again");
    }
    let rebuilt = builder.finish();
    assert_eq!(
        (rebuilt.count(), rebuilt.bytes()),
        (block.count(), block.bytes())
    );
    let (front, back) = block.clone().split_at(block.count() / 2);
    assert_eq!(EventBlock::merge(&[front, back]).bytes(), block.bytes());
}

/// What is stored in control batches and the catalog.
pub fn stored(bytes: &[u8]) {
    if let Ok(config) = ChannelConfig::decode(bytes) {
        assert_eq!(
            ChannelConfig::decode(&config.encode()).as_ref(),
            Ok(&config)
        );
    }
    if let Ok(command) = CatalogCommand::decode(bytes) {
        let again = command.encode().expect("what was read can be written");
        assert_eq!(CatalogCommand::decode(&again).as_ref(), Ok(&command));
    }
}
