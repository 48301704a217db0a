//! A model of one channel of class `quorum`, for exhaustive checking and for random walks.
//!
//! Two or three voters exchange messages that may be lost, delayed, doubled and reordered; writes
//! become durable in a step of their own; nodes crash and are parked. The decisions that the
//! promises rest on are the shipped ones, out of [`tetrarch_replica::decide`], and roles change by
//! the table of [`tetrarch_fsm`]; the model only brings them together. [`exhaust`] visits every
//! state within [`Bounds`], [`walks`] goes deeper without being complete, and a [`Mutant`] shows
//! that either would notice a mistake.

mod bounds;
mod coverage;
mod disk;
mod election;
mod exhaust;
mod following;
mod kill;
mod leading;
mod log;
mod message;
mod mutant;
mod node;
mod properties;
mod quorum;
mod search_point;
mod state;
mod step;
mod walk;

pub use bounds::Bounds;
pub use coverage::Coverage;
pub use exhaust::{Exhausted, Violation, exhaust};
pub use kill::{Kill, Plan};
pub use log::{Entry, Log};
pub use message::{Message, Messages};
pub use mutant::Mutant;
pub use node::{Node, Promise};
pub use properties::{always, needs_parks};
pub use quorum::Quorum;
pub use state::{Acked, Action, Spent, State};
pub use walk::{Walked, walks};
