//! Why dialling, sending or receiving failed. A failed handshake is sorted by what went wrong and
//! by which end refused, because the remedy differs.

use std::{io, time::Duration};

use quinn::{ConnectionError, ReadError, TransportErrorCode, VarInt, WriteError};
use tetrarch_wire::DecodeError;
use thiserror::Error;

use crate::tls::{IdentityError, PeerError};

/// Which end of a handshake refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBy {
    /// We did not accept the peer.
    Us,
    /// The peer did not accept us.
    Peer,
}

/// What was wrong with a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// The certificate was not issued by an authority of the other end's bundle.
    #[error("the certificate was not issued by an authority of the CA bundle")]
    UnknownAuthority,
    /// The certificate is expired or not valid yet.
    #[error("the certificate is not valid at this time")]
    NotValidNow,
    /// The certificate was not issued for this end of a connection.
    #[error("the certificate was not issued for this use")]
    WrongUse,
    /// The name in the certificate is not acceptable.
    #[error("the name in the certificate is not accepted")]
    WrongName,
    /// No certificate was shown.
    #[error("no certificate was shown")]
    NoCertificate,
    /// The two ends have no protocol in common.
    #[error("the two ends have no protocol in common")]
    NoCommonProtocol,
    /// Anything else that TLS can object to.
    #[error("the TLS handshake failed")]
    Handshake,
}

impl Trouble {
    /// What to do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::UnknownAuthority => "use certificates and a CA bundle of the same mesh",
            Self::NotValidNow => "renew the certificate, or set the clock right",
            Self::WrongUse => "issue it with both server and client authentication",
            Self::WrongName => "use the certificate that was issued for this name and mesh",
            Self::NoCertificate => "configure a certificate and its key",
            Self::NoCommonProtocol => "check the port and that both versions fit",
            Self::Handshake => "check that both ends run compatible versions",
        }
    }

    /// The alert codes of TLS (RFC 8446 §6). An authority of the same name with another key
    /// shows as a signature that does not verify (51).
    const fn from_alert(alert: u8) -> Self {
        match alert {
            42 | 46 | 49 => Self::WrongName,
            43 => Self::WrongUse,
            45 => Self::NotValidNow,
            48 | 51 => Self::UnknownAuthority,
            116 => Self::NoCertificate,
            120 => Self::NoCommonProtocol,
            _ => Self::Handshake,
        }
    }
}

/// No connection came about.
#[derive(Debug, Error)]
pub enum DialError {
    /// The address names nothing.
    #[error("cannot resolve {address}: {source}; expected host:port")]
    Resolve {
        /// As it was configured.
        address: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// One end refused the other.
    #[error(
        "{address}: {end} refused the connection: {trouble} ({detail}); {remedy}",
        end = if *by == RefusedBy::Us { "this end" } else { "the peer" }, remedy = trouble.remedy()
    )]
    Refused {
        /// Who was dialled.
        address: String,
        /// Which end refused.
        by: RefusedBy,
        /// What was wrong.
        trouble: Trouble,
        /// What TLS says, with the names involved.
        detail: String,
    },
    /// Nobody answers.
    #[error(
        "{address} does not answer within {timeout:?}; check that the node runs and UDP passes"
    )]
    NoAnswer {
        /// Who was dialled.
        address: String,
        /// How long was waited.
        timeout: Duration,
    },
    /// The connection failed in another way.
    #[error("{address}: {source}")]
    Connection {
        /// Who was dialled.
        address: String,
        /// What QUIC says.
        source: ConnectionError,
    },
    /// The connection could not even be tried.
    #[error("cannot dial {address}: {source}")]
    Start {
        /// Who was dialled.
        address: String,
        /// What QUIC says.
        source: quinn::ConnectError,
    },
    /// The peer is not acceptable after all.
    #[error("{address}: {source}")]
    Peer {
        /// Who was dialled.
        address: String,
        /// Why not.
        source: PeerError,
    },
    /// Our own identity is unusable.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl DialError {
    /// Sorts what became of a handshake with `address`.
    #[must_use]
    pub fn from_connection(address: &str, error: ConnectionError) -> Self {
        let (by, code, detail) = match &error {
            ConnectionError::TransportError(refusal) => {
                (RefusedBy::Us, refusal.code, refusal.reason.clone())
            }
            ConnectionError::ConnectionClosed(close) => {
                let reason = String::from_utf8_lossy(&close.reason).into_owned();
                (RefusedBy::Peer, close.error_code, reason)
            }
            ConnectionError::VersionMismatch
            | ConnectionError::ApplicationClosed(_)
            | ConnectionError::Reset
            | ConnectionError::TimedOut
            | ConnectionError::LocallyClosed
            | ConnectionError::CidsExhausted => {
                return Self::other(address, error);
            }
        };
        match alert_of(code) {
            Some(alert) => Self::Refused {
                address: address.to_owned(),
                by,
                trouble: Trouble::from_alert(alert),
                detail: plain(&detail),
            },
            None => Self::other(address, error),
        }
    }

    fn other(address: &str, source: ConnectionError) -> Self {
        Self::Connection {
            address: address.to_owned(),
            source,
        }
    }
}

/// QUIC carries TLS alerts as 0x100 plus the alert.
fn alert_of(code: TransportErrorCode) -> Option<u8> {
    u64::from(code)
        .checked_sub(0x100)
        .and_then(|alert| u8::try_from(alert).ok())
}

/// TLS wraps a verifier's message in the names of its own types.
fn plain(detail: &str) -> String {
    let text = detail
        .strip_prefix("invalid peer certificate: Other(OtherError(")
        .and_then(|text| text.strip_suffix("))"))
        .unwrap_or(detail);
    text.to_owned()
}

/// A frame could not be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The frame exceeds the limit of its type.
    #[error("the frame cannot be encoded: {0}")]
    Encode(#[from] DecodeError),
    /// The peer wants no more on this stream.
    #[error("the peer stopped the stream with code {code}")]
    Stopped {
        /// Its code, a [`tetrarch_wire::frame::CloseCode`].
        code: u64,
    },
    /// The stream was closed on this side before.
    #[error("the stream was closed on this side")]
    Closed,
    /// The connection is gone.
    #[error("the connection was lost: {0}")]
    Lost(#[from] ConnectionError),
}

impl From<WriteError> for SendError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::Stopped {
                code: VarInt::into_inner(code),
            },
            WriteError::ConnectionLost(source) => Self::Lost(source),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Closed,
        }
    }
}

impl From<quinn::StoppedError> for SendError {
    fn from(error: quinn::StoppedError) -> Self {
        match error {
            quinn::StoppedError::ConnectionLost(source) => Self::Lost(source),
            quinn::StoppedError::ZeroRttRejected => Self::Closed,
        }
    }
}

/// No further frame can be received.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiveError {
    /// The bytes are no frame.
    #[error("the peer sent what is no frame: {0}")]
    Malformed(#[from] DecodeError),
    /// A frame takes too long.
    #[error("the frame did not arrive within {limit:?}")]
    TooSlow {
        /// How long it may take.
        limit: Duration,
    },
    /// The stream ended inside a frame.
    #[error("the stream ended in the middle of a frame")]
    CutShort,
    /// The peer gave the stream up.
    #[error("the peer reset the stream with code {code}")]
    Reset {
        /// Its code, a [`tetrarch_wire::frame::CloseCode`].
        code: u64,
    },
    /// The stream was closed on this side before.
    #[error("the stream was closed on this side")]
    Closed,
    /// The connection is gone.
    #[error("the connection was lost: {0}")]
    Lost(#[from] ConnectionError),
}

impl From<ReadError> for ReceiveError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::Reset {
                code: VarInt::into_inner(code),
            },
            ReadError::ConnectionLost(source) => Self::Lost(source),
            ReadError::ClosedStream
            | ReadError::IllegalOrderedRead
            | ReadError::ZeroRttRejected => Self::Closed,
        }
    }
}
