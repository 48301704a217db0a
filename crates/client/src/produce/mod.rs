//! Publishing: events are gathered into requests, sent in order over one stream, and sent again
//! with the same producer seqs until they are acknowledged or given up.
//!
//! A [`Producer`] is a handle; its task owns everything that is on its way. Between the two lies
//! the gathering place, whose bounds hold callers back.

mod ack;
mod flight;
mod gather;
mod producer;
mod task;

use std::time::Duration;

pub use ack::{Ack, BatchAck, BatchTicket, Ticket};
pub use producer::Producer;
use tetrarch_wire::batch::EventBlock;

/// How a producer works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerOptions {
    /// Requests on their way at once; while so many are, events gather into larger ones.
    pub max_in_flight: usize,
    /// Most bytes of events in one request; a single larger event goes alone.
    pub max_batch_bytes: usize,
    /// Unacknowledged bytes beyond which senders wait.
    pub max_buffered_bytes: usize,
    /// Unacknowledged events beyond which senders wait.
    pub max_buffered_events: usize,
    /// How long events are tried before they fail.
    pub deliver_within: Duration,
    /// Silence after which other nodes are asked whether the channel has another leader.
    pub stall_after: Duration,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            max_in_flight: 8,
            max_batch_bytes: 256 << 10,
            max_buffered_bytes: 16 << 20,
            max_buffered_events: 65_536,
            deliver_within: Duration::from_secs(30),
            stall_after: Duration::from_millis(300),
        }
    }
}

impl ProducerOptions {
    /// Values that would never send anything are raised to the least that works.
    fn sane(self) -> Self {
        Self {
            max_in_flight: self.max_in_flight.max(1),
            max_batch_bytes: self.max_batch_bytes.clamp(1, EventBlock::MAX_BYTES),
            max_buffered_bytes: self.max_buffered_bytes.max(1),
            max_buffered_events: self.max_buffered_events.max(1),
            stall_after: self.stall_after.max(Duration::from_millis(10)),
            ..self
        }
    }
}
