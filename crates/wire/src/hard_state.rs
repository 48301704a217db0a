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
    /// Set while something that it promised may be missing.
    pub limbo: Option<Limbo>,
}

/// A store has found that something which was durable is missing from a channel: it does not know any
/// more what it acknowledged, or for whom it voted (protocol §11.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limbo {
    /// No epoch with a higher number can be among what was forgotten.
    pub claim: u64,
}

impl HardState {
    /// A store that has seen and promised nothing.
    pub const INITIAL: Self = Self {
        epoch_seen: Epoch::NONE,
        voted_for: None,
        limbo: None,
    };

    /// The promise of a store that may have forgotten any promise up to the number `claim`: nothing up
    /// to there is acknowledged, followed or voted for once more.
    #[must_use]
    pub const fn in_limbo(claim: u64) -> Self {
        Self {
            epoch_seen: Epoch::new(claim.saturating_add(1), VoterId::NONE),
            voted_for: None,
            limbo: Some(Limbo { claim }),
        }
    }
}
