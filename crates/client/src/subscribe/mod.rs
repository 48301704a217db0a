//! Reading on and on, from any node, without loss or repetition when nodes fail.

mod cursor;
mod session;
mod subscription;

use std::time::Duration;

pub use subscription::Subscription;
use tetrarch_wire::{frame::ReadMode, limits};

/// How to subscribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// The node to read from, by name; any that holds the channel if `None`, or the leader for a
    /// linearizable subscription.
    pub node: Option<String>,
    /// What may be seen.
    pub mode: ReadMode,
    /// Bytes of batches that may be on their way; at least two of the largest batches.
    pub credit_bytes: u64,
    /// How long nodes may be unreachable before the subscriber is told.
    pub give_up_after: Duration,
}

impl Default for SubscribeOptions {
    /// Committed events from any node, 8 MiB on their way, told after a minute.
    fn default() -> Self {
        Self {
            node: None,
            mode: ReadMode::Committed,
            credit_bytes: 8 << 20,
            give_up_after: Duration::from_secs(60),
        }
    }
}

impl SubscribeOptions {
    /// Half of the credit is given back at a time, so half must let the largest batch through.
    fn sane(self) -> Self {
        let least = 2 * limits::MAX_BATCH_BYTES as u64;
        Self {
            credit_bytes: self.credit_bytes.max(least),
            ..self
        }
    }
}
