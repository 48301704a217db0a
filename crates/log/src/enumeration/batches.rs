//! Who a store is that is tried, and logs to fill it with: batches that continue each other, no two
//! payloads alike.

use bytes::Bytes;
use tetrarch_wire::batch::{BatchDraft, EventBlock};
use tetrarch_wire::{
    Batch, ChannelClass, ChannelConfig, ChannelUid, ClusterId, Epoch, Event, HardState, Link,
    LogPosition, NodeId, ProducerEpoch, ProducerId, ProducerSeq, Seq, StoreId, Voter, VoterId,
};

use crate::{
    Disk, ForkReadError, ForkSummary, ReadError, Reader, StoreIdentity, WriteOp, WriteRequest,
};

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
    ChannelConfig::genesis(ChannelClass::Quorum, vec![voter]).expect("one voter is enough")
}

pub(crate) fn channel_uid(number: u8) -> ChannelUid {
    ChannelUid::from_bytes([number; 32])
}

pub(crate) fn voter() -> VoterId {
    VoterId::from_bytes([7; 16])
}

/// A promise made in the epoch of this number.
pub(crate) fn vote(n: u64) -> HardState {
    HardState {
        epoch_seen: Epoch::new(n, voter()),
        voted_for: Some(voter()),
        limbo: None,
    }
}

/// The log of one channel, as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) all: Vec<Batch>,
    pub(crate) epoch: Epoch,
    /// Where it begins.
    origin: LogPosition,
    written: u64,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            all: Vec::new(),
            epoch: Epoch::new(1, voter()),
            origin: LogPosition::origin(genesis().genesis_link()),
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
        self.all.last().map_or(self.origin, Batch::position)
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

    /// Begins anew at `seq`, in the middle of a later epoch.
    pub(crate) fn begin(&mut self, seq: Seq) -> LogPosition {
        self.all.clear();
        self.epoch.n += 1;
        self.origin = LogPosition {
            seq,
            epoch: self.epoch,
            link: Link::genesis(&seq.get().to_le_bytes()),
        };
        self.origin
    }

    /// Keeps the first `count` batches; what follows is written in another epoch.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.all.truncate(count);
        self.epoch.n += 1;
    }
}

/// A batch of one event.
pub(crate) fn draft(payload: &[u8]) -> BatchDraft {
    let mut block = EventBlock::builder();
    block
        .push(&Event::new(Bytes::copy_from_slice(payload)))
        .expect("the payloads here are small");
    BatchDraft::data(
        ProducerId::ANONYMOUS,
        ProducerEpoch::default(),
        ProducerSeq::ZERO,
        block.finish(),
    )
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

/// Reads a channel from where its log begins, in pieces of about 10 kB: what was read, and why the
/// rest was refused, if it was.
pub(crate) fn read_on<D: Disk>(
    reader: &Reader<D>,
    channel: ChannelUid,
) -> (Vec<Batch>, Option<ReadError>) {
    let mut from = reader
        .log_start(channel)
        .map_or(Seq::FIRST, |start| start.seq.next());
    let mut all = Vec::new();
    loop {
        match reader.read(channel, from, 10_000) {
            Ok(read) => {
                let last = read.batches.last();
                from = last.expect("a read gives a batch").last_seq().next();
                all.extend(read.batches);
            }
            Err(ReadError::BeyondTail { .. }) => return (all, None),
            Err(error) => return (all, Some(error)),
        }
    }
}

/// Reads a fork in pieces of about 1 kB: what was read, and why the rest was refused, if it was.
pub(crate) fn read_fork_on<D: Disk>(
    reader: &Reader<D>,
    channel: ChannelUid,
    fork: &ForkSummary,
) -> (Vec<Batch>, Option<ForkReadError>) {
    let mut from = fork.base.seq.next();
    let mut all = Vec::new();
    while from <= fork.end.seq {
        match reader.read_fork(channel, fork.id, from, 1_000) {
            Ok(read) => {
                let last = read.last();
                from = last.expect("a read gives a batch").last_seq().next();
                all.extend(read);
            }
            Err(error) => return (all, Some(error)),
        }
    }
    (all, None)
}
