//! The client of a Tetrarch mesh.

pub mod tls;
pub mod transport;
