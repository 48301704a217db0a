//! The shell that makes a node of the protocol core: it owns the sockets, the files, the clock and
//! the threads, carries out what [`tetrarch_replica`] decides, and decides nothing itself.
//!
//! [`Node::start`] starts a node inside the calling process; the `tetrarch` binary does nothing
//! else. Its parts, in the order in which an event meets them:
//!
//! - `transport`: connections to other nodes and to clients, over QUIC;
//! - `session`: what clients ask for;
//! - `channel`: the workers that own the channels and feed the protocol core;
//! - `store`: the threads that own the disk;
//! - `beats`, `catalog`, `retention`: what goes on beside the events;
//! - `registry`, `telemetry`: what may be known from outside.

mod beats;
mod catalog;
mod channel;
mod clock;
mod config;
mod disk_watch;
mod error;
mod mesh_link;
mod node;
mod registry;
mod retention;
mod session;
mod store;
pub mod telemetry;
mod transport;

pub use config::NodeConfig;
pub use error::NodeError;
pub use node::{ChannelHealth, Health, Node, TransitionEvent};
