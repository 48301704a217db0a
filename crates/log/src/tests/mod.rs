//! Tests of the store as a whole, and what they share: a channel, batches that continue each
//! other, small sizes.

mod crash;
mod faults;
mod fuzz;
mod restarts;
mod rot;
mod script;
mod store;
mod verify;

use bytes::Bytes;
use tetrarch_wire::batch::{BatchDraft, EventBlock};
use tetrarch_wire::{
    Batch, ChannelClass, ChannelConfig, ChannelUid, ClusterId, Epoch, Event, LogPosition, NodeId,
    ProducerEpoch, ProducerId, ProducerSeq, Seq, StoreId, Voter, VoterId,
};

use crate::{Disk, Reader, StoreIdentity, StoreOptions, WriteOp, WriteRequest};

pub(crate) fn identity() -> StoreIdentity {
    StoreIdentity {
        cluster: ClusterId::from_bytes([1; 16]),
        node: NodeId::from_bytes([2; 16]),
        store: StoreId::from_bytes([3; 16]),
        name: "n1".to_owned(),
        genesis: Bytes::from_static(b"genesis"),
    }
}

pub(crate) fn genesis() -> ChannelConfig {
    let voter = Voter {
        node: NodeId::from_bytes([2; 16]),
        store: StoreId::from_bytes([3; 16]),
    };
    ChannelConfig::genesis(ChannelClass::Quorum, vec![voter]).unwrap()
}

pub(crate) fn channel_uid(number: u8) -> ChannelUid {
    ChannelUid::from_bytes([number; 32])
}

/// Everything small, so that files fill up quickly.
pub(crate) fn small() -> StoreOptions {
    StoreOptions {
        wal_file_bytes: Some(256 * 1024),
        wal_files_max: 3,
        group_max_bytes: 128 * 1024,
        pending_max_bytes: 512 * 1024,
        flush_trigger_bytes: 64 * 1024,
        segment_bytes: 32 * 1024,
        index_interval_bytes: 4 * 1024,
        ballast_bytes: Some(1024 * 1024),
        open_files_max: 4,
        segment_sync_bytes: 16 * 1024,
        ..StoreOptions::default()
    }
}

/// The log of one channel, as it should be.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) all: Vec<Batch>,
    pub(crate) epoch: Epoch,
    written: u64,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            all: Vec::new(),
            epoch: Epoch::new(1, VoterId::from_bytes([7; 16])),
            written: 0,
        }
    }

    /// A log of which no payload is like one of another number.
    pub(crate) fn numbered(number: u64) -> Self {
        Self {
            written: number << 32,
            ..Self::new()
        }
    }

    pub(crate) fn tail(&self) -> LogPosition {
        let origin = LogPosition::origin(genesis().genesis_link());
        self.all.last().map_or(origin, Batch::position)
    }

    /// Adds batches of one event with payloads of `size` bytes, no two alike.
    pub(crate) fn batches(&mut self, count: usize, size: usize) -> Vec<Batch> {
        let from = self.all.len();
        for _ in 0..count {
            self.written += 1;
            let mut payload = vec![self.written.to_le_bytes()[0]; size.max(8)];
            payload[..8].copy_from_slice(&self.written.to_le_bytes());
            let batch = draft(&payload).seal(&self.tail(), self.epoch, self.written);
            self.all.push(batch);
        }
        self.all[from..].to_vec()
    }

    /// Keeps the first `count` batches; what follows is written in another epoch.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.all.truncate(count);
        self.epoch.n += 1;
    }
}

fn draft(payload: &[u8]) -> BatchDraft {
    let mut block = EventBlock::builder();
    block
        .push(&Event::new(Bytes::copy_from_slice(payload)))
        .unwrap();
    BatchDraft::data(
        ProducerId::ANONYMOUS,
        ProducerEpoch::default(),
        ProducerSeq::ZERO,
        block.finish(),
    )
}

/// Every batch of a channel, read in pieces of about 10 kB.
pub(crate) fn read_all<D: Disk>(reader: &Reader<D>, channel: ChannelUid) -> Vec<Batch> {
    let tail = reader.tail(channel).unwrap().seq;
    let mut from = reader.log_start(channel).unwrap().seq.next();
    let mut all = Vec::new();
    while from <= tail {
        let read = reader.read(channel, from, 10_000).unwrap();
        let last = read
            .batches
            .last()
            .expect("a read gives at least one batch");
        from = Seq::next(last.last_seq());
        all.extend(read.batches);
    }
    all
}

pub(crate) fn request(channel: u8, ops: Vec<WriteOp>) -> WriteRequest {
    WriteRequest {
        channel: channel_uid(channel),
        ops,
    }
}

pub(crate) fn open_op(name: &str) -> WriteOp {
    WriteOp::Open {
        name: name.to_owned(),
        genesis: genesis(),
    }
}
