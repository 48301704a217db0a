//! The two protocols that a node speaks, as TLS negotiates them.

/// ALPN name of what nodes speak among themselves.
pub const ALPN_MESH: &[u8] = b"tetrarch-mesh/1";
/// ALPN name of what clients speak to nodes.
pub const ALPN_CLIENT: &[u8] = b"tetrarch-client/1";

/// What is spoken on a connection. Decided once, in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Between nodes.
    Mesh,
    /// From a client to a node.
    Client,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 2] = [Self::Mesh, Self::Client];

    /// The name that the handshake negotiates.
    #[must_use]
    pub const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Mesh => ALPN_MESH,
            Self::Client => ALPN_CLIENT,
        }
    }

    /// The protocol with this name, if there is one.
    #[must_use]
    pub fn from_alpn(alpn: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.alpn() == alpn)
    }
}
