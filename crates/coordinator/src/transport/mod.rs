//! Connections to other nodes and to clients: one UDP socket, QUIC with mutual TLS, one connection
//! to each peer.
//!
//! [`Mesh`] is the node's handle: it sends. [`Inbound`] is what the node gives in return: it is
//! told of peers and handed frames. From the socket inwards:
//!
//! - `accept`, `dial`: connections come about; `introduction` and `admission` say between whom,
//!   `duel` which one stays when there are two, `backoff` when to try again;
//! - `seat`: the place of a peer, which outlives its connections, with an `outbox` for each of its
//!   tracks (see `lane`);
//! - `traffic`: a connection at work, as a `link` with its `writer`s and `reader`s;
//! - `client_link`: the connections of clients.

mod accept;
mod admission;
mod backoff;
mod client_link;
mod complaint;
mod config;
mod context;
mod dial;
mod duel;
mod error;
mod gate;
mod inbound;
mod introduction;
mod lane;
mod link;
mod mesh;
mod outbox;
mod reader;
mod seat;
mod stop;
mod tasks;
mod traffic;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use config::{Limits, LocalNode, MeshConfig, PeerAddress};
pub(crate) use error::TransportError;
pub(crate) use inbound::{Inbound, Peer, TransportEvent};
pub(crate) use mesh::Mesh;
