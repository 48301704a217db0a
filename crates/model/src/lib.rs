//! Models of one channel, for exhaustive checking and for random walks: one for each class.
//!
//! Nodes exchange messages that may be lost, delayed, doubled and reordered; writes become durable
//! in a step of their own; nodes crash. The decisions that the promises rest on are functions of
//! their facts alone, and roles change by the table of [`tetrarch_fsm`]; the models only bring them
//! together. [`exhaust()`] visits every state within bounds, [`walks`] goes deeper without being
//! complete, and the mutants of a class show that either would notice a mistake.

pub mod available;
mod channel;
mod coverage;
mod exhaust;
mod kill;
mod mixing;
pub mod quorum;
mod role;
mod voter;
mod walk;

pub use channel::Channel;
pub use coverage::Coverage;
pub use exhaust::{Exhausted, Violation, exhaust};
pub use kill::{Kill, Plan};
pub use walk::{Walked, walks};
