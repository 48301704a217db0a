//! Appending events, as a client sees it (protocol §8, §14).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::structure::{Checked, check_count};
use crate::{
    ChannelUid, DecodeError, Epoch, Link, NodeId, ProducerEpoch, ProducerId, ProducerSeq, Seq,
    batch::EventBlock, limits,
};

/// Events to append, all of one producer. Sending the same (producer, producer epoch, producer
/// seq) again is safe, on any connection and to any leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produce {
    /// Numbers the request within its stream.
    pub request: u64,
    /// The channel.
    pub channel: ChannelUid,
    /// The producer.
    pub producer: ProducerId,
    /// Its incarnation.
    pub producer_epoch: ProducerEpoch,
    /// Its number for the first event.
    pub base_producer_seq: ProducerSeq,
    /// The events.
    pub events: EventBlock,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ProducePreamble {
    request: u64,
    channel: ChannelUid,
    producer: ProducerId,
    producer_epoch: ProducerEpoch,
    base_producer_seq: ProducerSeq,
    count: u32,
    crc: u32,
}

impl Checked for ProducePreamble {
    fn check(&self) -> Result<(), DecodeError> {
        let first = self.base_producer_seq;
        let why = if self.count == 0 {
            "it holds no event"
        } else if self.producer.is_idempotent() && first == ProducerSeq::ZERO {
            "producer seqs begin at 1"
        } else if first.get().checked_add(self.count.into()).is_none() {
            "its producer seqs run past the end of all seqs"
        } else {
            return Ok(());
        };
        Err(DecodeError::Invalid {
            what: "produce request",
            why,
        })
    }
}

impl Produce {
    pub(super) fn preamble(&self) -> ProducePreamble {
        ProducePreamble {
            request: self.request,
            channel: self.channel,
            producer: self.producer,
            producer_epoch: self.producer_epoch,
            base_producer_seq: self.base_producer_seq,
            count: self.events.count(),
            crc: self.events.crc(),
        }
    }

    pub(super) fn from_parts(head: ProducePreamble, bytes: Bytes) -> Result<Self, DecodeError> {
        let events = EventBlock::check(bytes, head.count)?;
        if events.crc() != head.crc {
            return Err(DecodeError::Checksum {
                what: "produce request",
                found: events.crc(),
                expected: head.crc,
            });
        }
        Ok(Self {
            request: head.request,
            channel: head.channel,
            producer: head.producer,
            producer_epoch: head.producer_epoch,
            base_producer_seq: head.base_producer_seq,
            events,
        })
    }
}

/// Consecutive events that took consecutive seqs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendedRun {
    /// Seq of the first event of the run.
    pub first: Seq,
    /// How many events.
    pub count: u32,
    /// Whether they were in the log already, from an earlier try.
    pub duplicate: bool,
}

/// Why a request was not carried out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RetryReason {
    /// The node does not lead the channel.
    NotLeader,
    /// Nobody leads it at the moment.
    NoLeader,
    /// The leader hands over.
    Draining,
    /// The queue is full.
    QueueFull,
    /// The node has just started.
    Starting,
    /// The channel is not known here (yet).
    UnknownChannel,
    /// The request is wrong and stays wrong.
    Invalid,
    /// The client has no right to do this.
    Denied,
    /// The node met an error of its own.
    Internal,
    /// Something with that name exists already.
    Exists,
    /// Not enough nodes satisfy what was asked for.
    NoPlacement,
    /// The log does not continue what was read of it before.
    Diverged,
}

impl RetryReason {
    /// The name in logs, metrics and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotLeader => "not_leader",
            Self::NoLeader => "no_leader",
            Self::Draining => "draining",
            Self::QueueFull => "queue_full",
            Self::Starting => "starting",
            Self::UnknownChannel => "unknown_channel",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::Internal => "internal",
            Self::Exists => "exists",
            Self::NoPlacement => "no_placement",
            Self::Diverged => "diverged",
        }
    }
}

/// What became of a produce request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProduceOutcome {
    /// The events are in the log, as durable as the channel's class promises.
    Appended {
        /// The epoch in which this was acknowledged.
        epoch: Epoch,
        /// Where the events are, in their order; a single run unless a retry overlapped.
        runs: Vec<AppendedRun>,
        /// The link at the last event's batch.
        link: Link,
        /// On how many stores the events are known to be durable.
        copies: u8,
        /// Whether that is less than the channel asks for.
        degraded: bool,
    },
    /// Not appended. Trying again can help.
    Retry {
        /// Why not.
        reason: RetryReason,
        /// How long to wait, in milliseconds.
        after_ms: u32,
        /// Who leads, if that is known.
        leader: Option<NodeId>,
    },
    /// Perhaps appended, perhaps not. Send the same producer seqs again to find out.
    Indeterminate,
    /// Not appended: no room on the leader's disk.
    StorageFull,
    /// Not appended: events before these are missing.
    OutOfOrder {
        /// The producer seq that comes next.
        expected: ProducerSeq,
    },
    /// Not appended: a newer incarnation of this producer exists.
    Fenced {
        /// The newest incarnation.
        current: ProducerEpoch,
    },
    /// Not appended: larger than is allowed.
    TooLarge {
        /// Most bytes.
        limit: u32,
    },
    /// Not appended: the client may not write here.
    Denied,
    /// Not appended: there is no such channel on this node.
    UnknownChannel,
}

/// The answer to a produce request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProduceAck {
    /// The request.
    pub request: u64,
    /// What became of it.
    pub outcome: ProduceOutcome,
}

impl Checked for ProduceAck {
    fn check(&self) -> Result<(), DecodeError> {
        let runs = match &self.outcome {
            ProduceOutcome::Appended { runs, .. } => runs.len(),
            ProduceOutcome::Retry { .. }
            | ProduceOutcome::Indeterminate
            | ProduceOutcome::StorageFull
            | ProduceOutcome::OutOfOrder { .. }
            | ProduceOutcome::Fenced { .. }
            | ProduceOutcome::TooLarge { .. }
            | ProduceOutcome::Denied
            | ProduceOutcome::UnknownChannel => 0,
        };
        check_count("number of runs", runs, limits::MAX_APPENDED_RUNS)
    }
}
