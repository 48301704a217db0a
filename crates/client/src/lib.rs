//! The client of a Tetrarch mesh: publishing exactly once, subscribing from any node, reading,
//! and administration, over QUIC with mutual TLS.
//!
//! A [`Client`] connects to any node and learns the others. It follows leaders as they change and
//! tries again what can be tried again, so that callers see either an answer or an error that
//! says what to do. Its lower parts, [`tls`] and [`transport`], are also what nodes are built on.

pub mod tls;
pub mod transport;

mod admin;
mod backoff;
mod client;
mod config;
mod core;
mod directory;
mod error;
mod fetch;
mod net;
mod produce;
mod subscribe;

pub use admin::{Admin, Status};
pub use client::{Client, ReadPoint};
pub use config::ClientConfig;
pub use error::{Error, Result};
pub use fetch::{Delivered, EventBatch, EventIter, FetchFrom, FetchOptions, Fetched};
pub use produce::{Ack, BatchAck, BatchTicket, Producer, ProducerOptions, Ticket};
pub use subscribe::{SubscribeOptions, Subscription};
