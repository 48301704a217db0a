//! A fork: what a replica of an `available` channel cuts off its log, because its leader's log goes on
//! otherwise from there. It may be the only copy of what was acknowledged (protocol §10), so it is a
//! file of its own, durable before the log is cut, and nothing removes it but an order to do so.
//!
//! ```text
//! fork-<id>   description (192 B) batch │ batch │ … │ epoch │ epoch │ …
//! ```
//!
//! The batches are the very bytes that the leader framed. The file is named by its content, gets that
//! name when it is whole, and is never changed after that; on every node it is the same, byte for byte.

mod content;
mod description;
mod file;
mod read;

use std::collections::BTreeMap;

use tetrarch_wire::{EpochStart, ForkId, LogPosition, Seq};
use thiserror::Error;

pub(crate) use content::Content;
pub(crate) use description::Description;
pub(crate) use file::{Fork, check, describe, load};
pub(crate) use read::read;

/// What is known of a fork without reading its batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkSummary {
    /// Its name.
    pub id: ForkId,
    /// The position before its first batch.
    pub base: LogPosition,
    /// The position of its last batch.
    pub end: LogPosition,
    /// Where epochs begin in it, the earliest first; of more than
    /// [`tetrarch_wire::limits::MAX_FORK_EPOCHS`] the latest ones. Batches before the first of them are
    /// of the epoch of `base`.
    pub epochs: Vec<EpochStart>,
    /// Events in its data batches. None: the fork holds nothing but control batches.
    pub events: u64,
    /// Bytes of its batches.
    pub bytes: u64,
}

/// Why a fork cannot be trusted. Other forks and the log of its channel are as they were.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
pub enum ForkDamage {
    /// The file is not there.
    #[error("the file of the fork is missing; another replica may hold the same fork")]
    Missing,
    /// What the file says about itself is not what was written, or it is another fork's.
    #[error(
        "the description of the fork is unreadable; keep the file, and look for the same fork on \
         another replica"
    )]
    Description,
    /// Bytes of the batches are not what was written.
    #[error(
        "the fork is damaged after seq {after}, at offset {offset}: {detail}; look for the same fork \
         on another replica"
    )]
    Batches {
        /// The last intact seq before the damage.
        after: Seq,
        /// Where in the file.
        offset: u64,
        /// What is wrong with the bytes.
        detail: String,
    },
}

/// The forks of one channel whose descriptions are known.
pub(crate) type Forks = BTreeMap<ForkId, Fork>;
