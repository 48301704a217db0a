//! Frames to send around.

use bytes::Bytes;
use tetrarch_wire::{
    Batch, Boot, ChannelUid, Epoch, Event, Frame, Link, LogPosition, ProducerEpoch, ProducerId,
    ProducerSeq, Seq,
    batch::{BatchDraft, EventBlock},
    frame::{
        Append, ChannelFrame, ChannelMessage, DiskLevel, NodeBeat, SyncClass, SyncRequest,
        TransferPrepare,
    },
};

/// The channel with this number.
pub(super) fn channel(number: u64) -> ChannelUid {
    ChannelUid::derive(&number.to_string(), &[0; 16])
}

fn frame(channel: ChannelUid, message: ChannelMessage) -> ChannelFrame {
    ChannelFrame {
        channel,
        epoch: Epoch::NONE,
        message,
    }
}

/// A frame for the control lane that carries a number.
pub(super) fn election(channel: ChannelUid, number: u64) -> ChannelFrame {
    let must_have = Seq::new(number);
    let message = TransferPrepare { must_have };
    frame(channel, ChannelMessage::TransferPrepare(message))
}

/// A small frame for the data or bulk lane that carries a number.
pub(super) fn small(channel: ChannelUid, number: u64) -> ChannelFrame {
    let message = SyncRequest {
        request: number,
        previous: LogPosition::origin(Link::genesis(b"test")),
        max_bytes: 0,
        class: SyncClass::Live,
    };
    frame(channel, ChannelMessage::SyncRequest(message))
}

/// A batch of one event of `size` bytes.
pub(super) fn batch(size: usize) -> Batch {
    let mut block = EventBlock::builder();
    block.push(&Event::new(Bytes::from(vec![7; size]))).unwrap();
    let block = block.finish();
    let draft = BatchDraft::data(
        ProducerId::ANONYMOUS,
        ProducerEpoch::new(0),
        ProducerSeq::ZERO,
        block,
    );
    draft.seal(&LogPosition::origin(Link::genesis(b"test")), Epoch::NONE, 1)
}

/// A push of one batch that carries a number.
pub(super) fn push(channel: ChannelUid, number: u64, batch: &Batch) -> ChannelFrame {
    let message = Append {
        previous: LogPosition::origin(Link::genesis(b"test")),
        commit: Seq::new(number),
        config_seq: Seq::ZERO,
        batches: vec![batch.clone()],
    };
    frame(channel, ChannelMessage::Append(message))
}

/// The number that a frame carries.
pub(super) fn number(frame: &ChannelFrame) -> u64 {
    match &frame.message {
        ChannelMessage::TransferPrepare(message) => message.must_have.get(),
        ChannelMessage::SyncRequest(message) => message.request,
        ChannelMessage::Append(message) => message.commit.get(),
        other => panic!("{other:?} carries no number"),
    }
}

/// Bytes of the batches that a frame carries.
pub(super) fn payload(frame: &ChannelFrame) -> usize {
    match &frame.message {
        ChannelMessage::Append(message) => message.batches.iter().map(Batch::size).sum(),
        other => panic!("{other:?} carries no batches"),
    }
}

/// A sign of life.
pub(super) fn beat(number: u64) -> Frame {
    Frame::NodeBeat(NodeBeat {
        boot: Boot::new(1),
        number,
        page: 0,
        pages: 1,
        mono_ns: 0,
        echo: None,
        disk_level: DiskLevel::Green,
        free_bytes: 0,
        wal_stall_ms: 0,
        table_generation: 0,
        table_count: 0,
        table_hash: 0,
        rows: Vec::new(),
    })
}
