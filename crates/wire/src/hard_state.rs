//! What a voter must never forget.

use serde::{Deserialize, Serialize};

use crate::{Epoch, VoterId};

/// A channel's election promise on one store: durable before any message that depends on it
/// leaves the node, and never going backwards (protocol §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardState {
    /// The highest epoch this store has seen.
    pub epoch_seen: Epoch,
    /// Whom it voted for in the epoch number `epoch_seen.n`.
    pub voted_for: Option<VoterId>,
}

impl HardState {
    /// A store that has seen and promised nothing.
    pub const INITIAL: Self = Self {
        epoch_seen: Epoch::NONE,
        voted_for: None,
    };
}
