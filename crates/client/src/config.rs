//! What a client is configured with.

use std::{net::SocketAddr, time::Duration};

use crate::{tls::Identity, transport::Tuning};

/// The configuration of a [`crate::Client`].
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Addresses of some nodes, as `host:port`. The others are learned from them.
    pub seeds: Vec<String>,
    /// Who we are and whom we believe.
    pub identity: Identity,
    /// The local address; any if `None`.
    pub bind: Option<SocketAddr>,
    /// How connections are tuned.
    pub tuning: Tuning,
    /// How long one node may take to answer one request, beyond what the request asks it to wait.
    pub answer_within: Duration,
    /// How long an operation is tried, at whatever nodes, before it fails.
    pub give_up_after: Duration,
}

impl ClientConfig {
    /// A configuration with the defaults: 2 s for an answer, 15 s for an operation.
    #[must_use]
    pub fn new(seeds: Vec<String>, identity: Identity) -> Self {
        Self {
            seeds,
            identity,
            bind: None,
            tuning: Tuning::client(),
            answer_within: Duration::from_secs(2),
            give_up_after: Duration::from_secs(15),
        }
    }

    /// The address that sockets are bound to.
    pub(crate) fn local_address(&self) -> SocketAddr {
        let wants_v6 = self.seeds.iter().any(|seed| seed.starts_with('['));
        let any = if wants_v6 {
            SocketAddr::from(([0; 16], 0))
        } else {
            SocketAddr::from(([0; 4], 0))
        };
        self.bind.unwrap_or(any)
    }
}
