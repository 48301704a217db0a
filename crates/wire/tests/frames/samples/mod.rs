//! Fixed values of every type that crosses a connection or is written into a log. Their bytes are
//! the golden vectors; every variant of every enumeration is among them.

mod admin;
mod channel;
mod client;
mod session;
mod stored;

use bytes::Bytes;
use tetrarch_wire::{
    Batch, ChannelUid, Epoch, Event, Frame, Link, LogPosition, NodeId, ProducerEpoch, ProducerId,
    ProducerSeq, Seq, VoterId,
    batch::{BatchDraft, EventBlock},
};

pub(crate) use channel::addressed;
pub(crate) use client::produce_request;
pub(crate) use session::hello;
pub(crate) use stored::{entry, stored};

/// Every frame, under a name that begins with its type's.
pub(crate) fn frames() -> Vec<(String, Frame)> {
    let mut named = Vec::new();
    for (suffix, frame) in [
        session::frames(),
        channel::frames(),
        client::frames(),
        admin::frames(),
    ]
    .concat()
    {
        let frame_type = frame.frame_type();
        named.push((
            format!("{frame_type:?}{}{suffix}", separator(&suffix)),
            frame,
        ));
    }
    named
}

fn separator(suffix: &str) -> &'static str {
    if suffix.is_empty() { "" } else { "." }
}

/// A sample without a further name.
fn plain(frame: Frame) -> (String, Frame) {
    (String::new(), frame)
}

/// A sample named for the variant it shows.
fn named(suffix: &str, frame: Frame) -> (String, Frame) {
    (suffix.to_owned(), frame)
}

fn node(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 16])
}

fn voter(byte: u8) -> VoterId {
    VoterId::from_bytes([byte; 16])
}

fn uid() -> ChannelUid {
    ChannelUid::from_bytes([0xC5; 32])
}

fn epoch() -> Epoch {
    Epoch::new(7, voter(0xE1))
}

fn link(byte: u8) -> Link {
    Link::from_bytes([byte; 16])
}

fn position() -> LogPosition {
    LogPosition {
        seq: Seq::new(300),
        epoch: Epoch::new(6, voter(0xE0)),
        link: link(0x11),
    }
}

/// Three events: a bare one, one with a key, and one with headers.
pub(crate) fn events() -> EventBlock {
    let mut builder = EventBlock::builder();
    let keyed = Event {
        key: Some(Bytes::from_static(b"k")),
        ..Event::new(Bytes::from_static(b"two"))
    };
    let headed = Event {
        headers: vec![(Bytes::from_static(b"name"), Bytes::from_static(b"value"))],
        ..Event::new(Bytes::from_static(b"three"))
    };
    for event in [Event::new(Bytes::from_static(b"one")), keyed, headed] {
        builder.push(&event).unwrap();
    }
    builder.finish()
}

/// Two batches, the second directly after the first.
pub(crate) fn batches() -> Vec<Batch> {
    let draft = |first: u64| {
        BatchDraft::data(
            ProducerId::from_bytes([0xAB; 16]),
            ProducerEpoch::new(2),
            ProducerSeq::new(first),
            events(),
        )
    };
    let one = draft(11).seal(&position(), epoch(), 1_700_000_000_000);
    let two = draft(14).seal(&one.position(), epoch(), 1_700_000_000_001);
    vec![one, two]
}
