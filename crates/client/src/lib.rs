//! The client of a Tetrarch mesh: publishing exactly once, subscribing from any node, reading,
//! and administration, over QUIC with mutual TLS.
//!
//! A [`Client`] connects to any node and learns the others. It follows leaders as they change and
//! tries again what can be tried again, so that callers see either an answer or an error that
//! says what to do. Its lower parts, [`tls`] and [`transport`], are also what nodes are built on.
//!
//! ```no_run
//! use tetrarch_client::{Client, ClientConfig, FetchFrom, SubscribeOptions, tls::Identity};
//! use tetrarch_wire::Event;
//!
//! # async fn run(identity: Identity) -> tetrarch_client::Result<()> {
//! let client = Client::connect(ClientConfig::new(vec!["n1:7400".into()], identity)).await?;
//! let producer = client.producer("orders").await?;
//! let ack = producer.publish(Event::new("first".into())).await?;
//! println!("seq {} on {} stores", ack.seq, ack.copies);
//!
//! let mut orders = client.subscribe("orders", FetchFrom::Start, SubscribeOptions::default());
//! let event = orders.next().await?;
//! println!("{}: {:?}", event.seq, event.event.payload);
//! # Ok(())
//! # }
//! ```

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
