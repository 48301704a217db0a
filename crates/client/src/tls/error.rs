//! Why a name, an identity or a peer was refused. Each message says which file or name it is
//! about, what was wrong with it, and what to do.

use std::{fmt, io, path::PathBuf};

use thiserror::Error;

/// A certificate does not name an acceptable principal.
#[derive(Clone, PartialEq, Eq, Error)]
pub enum PrincipalError {
    /// It is no X.509 certificate.
    #[error("the certificate cannot be read ({why}); issue it again with `tetrarch cert`")]
    Unreadable {
        /// What the parser says.
        why: String,
    },
    /// It carries no URI. The common name is never looked at.
    #[error(
        "the certificate of '{subject}' has no URI subject alternative name (names: {names}); \
         issue it with spiffe://<trust domain>/node/<name> or /client/<name>"
    )]
    NoUri {
        /// The certificate's subject.
        subject: String,
        /// The alternative names that it does carry.
        names: String,
    },
    /// It carries more than one URI, so it names nobody.
    #[error("the certificate has several URI names ({uris}); issue it with exactly one")]
    SeveralUris {
        /// All of them.
        uris: String,
    },
    /// Its URI is no name of this kind.
    #[error(
        "'{uri}' names no principal: {why}; expected spiffe://<trust domain>/node/<name> or \
         /client/<name>"
    )]
    Malformed {
        /// The URI.
        uri: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// It belongs to another mesh.
    #[error(
        "the certificate names {seen}, expected a name in trust domain '{expected}'; check that \
         both ends use certificates of the same mesh"
    )]
    TrustDomain {
        /// The URI in the certificate.
        seen: String,
        /// Our trust domain.
        expected: String,
    },
    /// It names somebody else.
    #[error(
        "the certificate names {seen}, expected {expected}; check the address that was dialled \
         and the certificate in use there"
    )]
    NotTheNode {
        /// The URI in the certificate.
        seen: String,
        /// The URI that was expected.
        expected: String,
    },
}

/// As it is displayed: TLS reports a verifier's error only by its debug form.
impl fmt::Debug for PrincipalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An identity cannot be used. Never contains key material.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("cannot read {what} {path}: {source}; check the path and its permissions", path = path.display())]
    Read {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is not the PEM that it should be.
    #[error("{what} {path} is not usable PEM: {why}; expected {expected}", path = path.display())]
    Pem {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// Which PEM sections it should have.
        expected: &'static str,
    },
    /// The certificate does not name a principal.
    #[error("certificate {path}: {source}", path = path.display())]
    Principal {
        /// The file.
        path: PathBuf,
        /// What is wrong with the name.
        source: PrincipalError,
    },
    /// Certificate and key do not fit, or the key is of a kind that is not supported.
    #[error(
        "key {key} cannot be used with certificate {certificate}: {why}; use the key that the \
         certificate was issued for",
        key = key.display(), certificate = certificate.display()
    )]
    Key {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
        /// What TLS says.
        why: String,
    },
    /// TLS refuses the configuration.
    #[error("cannot configure TLS for {principal}: {why}; check the CA bundle and the certificate")]
    Config {
        /// Whose configuration.
        principal: String,
        /// What TLS says.
        why: String,
    },
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes; nothing can be encrypted without them")]
    NoRandomness,
}

/// The other end of a finished handshake is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    /// The handshake left no certificate or protocol behind.
    #[error("the connection carries no {what}; the handshake has not finished")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// The protocol is none of ours.
    #[error("the connection speaks '{alpn}', expected tetrarch-mesh/1 or tetrarch-client/1")]
    Protocol {
        /// What was negotiated.
        alpn: String,
    },
    /// The certificate names nobody acceptable.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
}
