//! The gateway over real sockets: requests written byte by byte, answers read until the end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bounds;
mod client;
mod node;
mod routes;
mod stopping;
