//! Connections to nodes: dialled when needed, kept, shared by everything that the client does,
//! and given up when they fail.

mod connection;
mod lane;
mod pool;

pub(crate) use connection::NodeConnection;
pub(crate) use lane::{Answer, Lane, Lost, ReplyTo};
pub(crate) use pool::Pool;
