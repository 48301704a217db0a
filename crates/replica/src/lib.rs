//! The replication protocol as a pure function of (state, input, now): elections, push, catch-up,
//! commit, fencing and handover of one channel, and the pure parts of a node.
//!
//! Nothing here knows a runtime, a file, a clock or a source of randomness: time and chance are
//! arguments, and what is to be done comes out as effects. A simulator runs exactly this code.

pub mod beat;
pub mod catalog;
mod context;
mod effect;
mod input;
pub mod placement;

pub use context::{Chance, Context, Moment, Now};
pub use effect::{
    AdminOutcome, Effect, HaltReason, Lane, LogWrite, PersistToken, ReadTicket, RoleChange, Ticket,
};
pub use input::{Input, LogReadFailure, PersistFailure, Proposal, ProduceRequest};
