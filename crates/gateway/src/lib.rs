//! A node over HTTP: health for probes and people, metrics for scrapers.
//!
//! | path | answers |
//! |---|---|
//! | `/livez` | whether the process does its work: if not, restart it |
//! | `/readyz` | whether the node takes work: if not, why, and what helps |
//! | `/healthz` | both at once |
//! | `/healthz?channel=NAME` | how one channel is on this node |
//! | `/metrics` | all measurements, in the OpenMetrics text format |
//!
//! Answers are text, or JSON where the request asks for it (`Accept: application/json` or
//! `format=json`). A channel never makes a node unready, and catching up is progress, not failure.
//!
//! This crate knows no node: it asks a [`NodeHealth`], which whoever puts the two together
//! implements. So it depends on nothing else of Tetrarch, and is tested without a mesh. Whatever
//! comes in is bounded, in size, in time and in number.

mod answer;
mod error;
mod gate;
mod health;
mod routes;
mod server;

pub use error::GatewayError;
pub use health::{ChannelHealth, ChannelState, NodeHealth, Reason};
pub use server::{Gateway, Limits};
