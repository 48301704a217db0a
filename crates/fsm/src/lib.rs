//! The role table: which changes of a replica's role exist, and which signal drives each.
//!
//! One `const` table of the 17 legal triples is the only source; validator, counts, documentation
//! and diagram are derived from it (protocol §4). This crate knows nothing of elections, clocks or
//! logs: whether a transition's guard holds is the protocol core's business, whether it *exists*
//! is decided here.

pub mod render;
mod signal;
mod table;
mod transition;

pub use signal::TransitionSignal;
pub use table::{LEGAL_TRANSITIONS, Verdict, verdict};
pub use transition::{Role, StateTransition, StateTransitionError};
