//! The main promise, tried out: a mesh of real processes loses its leader while events are being
//! published, and every acknowledged event is still there, in order, once.
//!
//! `play` is the course of it. `publish` writes what `input` has and keeps the `ledger` of what was
//! acknowledged, `read_back` holds each node's copy against it with an `audit`, `roles` watches who
//! leads, `stage` shows it all, and `outcome` is what comes of it.

mod audit;
mod input;
mod ledger;
mod outcome;
mod play;
mod publish;
mod read_back;
mod roles;
mod stage;

pub use play::{Plan, play};
