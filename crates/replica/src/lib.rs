//! The replication protocol as a pure function of (state, input, now): elections, push, catch-up,
//! commit, fencing and handover of one channel, and the pure parts of a node.
//!
//! Nothing here knows a runtime, a file, a clock or a source of randomness: time and chance are
//! arguments, and what is to be done comes out as effects. A simulator runs exactly this code.

mod available;
pub mod beat;
pub mod catalog;
mod catchup;
mod committed_read;
mod confirmation;
mod context;
pub mod decide;
mod durability;
mod effect;
mod election;
mod input;
mod limbo;
mod log_state;
pub mod membership;
pub mod placement;
mod pressure;
mod produce;
mod producer;
mod propose;
mod queues;
mod recovery;
mod repair;
mod replica;
mod replication;
mod settings;
pub mod shard;
mod snapshot;
#[cfg(test)]
mod testing;
mod transfer;
mod view;

pub use committed_read::CommittedRead;
pub use context::{Chance, Context, Moment, Now};
pub use effect::{
    AdminOutcome, Effect, HaltReason, Lane, LogWrite, PersistToken, ReadTicket, RoleChange, Ticket,
};
pub use input::{Input, LogReadFailure, PersistFailure, ProduceRequest, Proposal, SealFailure};
pub use pressure::DiskGauge;
pub use producer::TableError;
pub use queues::Queues;
pub use recovery::{Recovered, RecoveryError};
pub use repair::MendOutcome;
pub use replica::Replica;
pub use settings::{Settings, SettingsError};
pub use snapshot::SnapshotError;
pub use view::{FollowerView, View};
