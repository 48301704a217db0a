//! Why a mesh does not start, and why a connection does not come about.

use std::{io, net::SocketAddr};

use quinn::ConnectionError;
use tetrarch_client::{
    tls::{IdentityError, PeerError},
    transport::{DialError, Trouble},
};
use tetrarch_wire::frame::{Close, CloseCode};
use thiserror::Error;

use super::link::close_code;

/// The mesh cannot be started or changed.
#[derive(Debug, Error)]
pub enum TransportError {
    /// Another socket has the address.
    #[error(
        "cannot listen on {address} (UDP): the address is in use; stop the process that has it, \
         or configure another one"
    )]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address} (UDP): {source}; check the configured address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The identity cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The certificate does not name the node that uses it.
    #[error(
        "the certificate names {found}, expected the name of node {expected}; use the certificate \
         that was issued for this node"
    )]
    NotThisNode {
        /// The name in the certificate.
        found: String,
        /// The node.
        expected: String,
    },
}

impl TransportError {
    pub(super) fn listen(address: SocketAddr, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::AddrInUse {
            Self::AddressInUse { address }
        } else {
            Self::Listen { address, source }
        }
    }
}

/// A connection does not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What the other end is told.
    pub(super) code: CloseCode,
    /// The word that the counter has for it.
    pub(super) reason: &'static str,
    /// For people: what was seen and what was expected.
    pub(super) detail: String,
}

impl Refusal {
    /// The word for a handshake that the other end gave up without a complaint.
    const ABANDONED: &'static str = "abandoned";

    /// This end refuses.
    pub(super) fn new(code: CloseCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            reason: code.name(),
            detail: detail.into(),
        }
    }

    /// The other end said why it closes.
    pub(super) fn told(close: &Close) -> Self {
        Self::new(close.code, format!("refused by the peer: {}", close.detail))
    }

    /// The certificate of the other end is not acceptable on this connection.
    pub(super) fn certificate(error: &PeerError) -> Self {
        let code = match error {
            PeerError::Missing { .. } | PeerError::Protocol { .. } => CloseCode::Malformed,
            PeerError::Principal(_) => CloseCode::Denied,
        };
        Self::new(code, error.to_string())
    }

    /// The connection with `remote` was lost before it carried frames.
    pub(super) fn lost(remote: SocketAddr, error: ConnectionError) -> Self {
        Self::from(DialError::from_connection(&remote.to_string(), error))
    }

    /// Whether an operator wants to hear of it. Two nodes that dial each other at once, and a
    /// handshake given up for another connection, are everyday life.
    pub(super) fn is_worth_telling(&self) -> bool {
        self.code != CloseCode::Duplicate && self.reason != Self::ABANDONED
    }

    fn counted_as(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }
}

impl From<DialError> for Refusal {
    fn from(error: DialError) -> Self {
        let text = error.to_string();
        match error {
            DialError::Refused { trouble, .. } => {
                Self::new(CloseCode::Denied, text).counted_as(word(trouble))
            }
            DialError::Connection { source, .. } => closed(source, text),
            DialError::Peer { source, .. } => Self::certificate(&source),
            DialError::NoAnswer { .. } => {
                Self::new(CloseCode::Timeout, text).counted_as("no_answer")
            }
            DialError::Resolve { .. } => {
                Self::new(CloseCode::Normal, text).counted_as("unresolved")
            }
            DialError::Start { .. } | DialError::Identity(_) => {
                Self::new(CloseCode::Normal, text).counted_as("not_dialled")
            }
        }
    }
}

/// A connection that ended by itself or was closed.
fn closed(error: ConnectionError, text: String) -> Refusal {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let refusal = Refusal::told(&Close {
                code: close_code(close.error_code).unwrap_or(CloseCode::Malformed),
                detail: String::from_utf8_lossy(&close.reason).into_owned(),
            });
            match refusal.code {
                CloseCode::Normal => refusal.counted_as(Refusal::ABANDONED),
                _ => refusal,
            }
        }
        ConnectionError::TimedOut => Refusal::new(CloseCode::Timeout, text),
        ConnectionError::ConnectionClosed(_) => {
            Refusal::new(CloseCode::Normal, text).counted_as(Refusal::ABANDONED)
        }
        ConnectionError::TransportError(_) => {
            Refusal::new(CloseCode::Malformed, text).counted_as("quic")
        }
        ConnectionError::VersionMismatch
        | ConnectionError::Reset
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => {
            Refusal::new(CloseCode::Normal, text).counted_as("connection_lost")
        }
    }
}

/// The word that the counter has for what was wrong with a handshake.
const fn word(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::UnknownAuthority => "unknown_ca",
        Trouble::NotValidNow => "expired_certificate",
        Trouble::WrongUse => "wrong_certificate_use",
        Trouble::WrongName => "wrong_name",
        Trouble::NoCertificate => "no_certificate",
        Trouble::NoCommonProtocol => "wrong_protocol",
        Trouble::Handshake => "tls",
    }
}
