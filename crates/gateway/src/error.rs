//! Why the gateway could not start.

use std::{io, net::SocketAddr};

use thiserror::Error;

/// The gateway could not start.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The address cannot be listened on.
    #[error("cannot listen for HTTP on {address} (TCP): {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The listener that was given does not tell its address.
    #[error("the HTTP listener has no address: {source}")]
    Address {
        /// What the operating system says.
        source: io::Error,
    },
}
