//! Who is at the other end of a connection, once its handshake has finished.

use quinn::{Connection, crypto::rustls::HandshakeData};
use rustls::pki_types::CertificateDer;

use super::{PeerError, Principal, Protocol};

/// The other end of a connection and what it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The protocol that was negotiated.
    pub protocol: Protocol,
    /// The name in its certificate.
    pub principal: Principal,
}

/// The principal that the peer's certificate names. Its chain and trust domain were checked in
/// the handshake.
///
/// # Errors
/// If there is no certificate, or it names nobody.
pub fn peer_principal(connection: &Connection) -> Result<Principal, PeerError> {
    let missing = PeerError::Missing {
        what: "certificate",
    };
    let chain = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok())
        .ok_or_else(|| missing.clone())?;
    let leaf = chain.first().ok_or(missing)?;
    Ok(Principal::from_certificate(leaf)?)
}

/// Who the peer is and what it speaks. The protocol of the mesh is for nodes alone; the one of
/// clients is open to both.
///
/// # Errors
/// If the certificate or the protocol is missing, or they do not go together.
pub fn identify(connection: &Connection) -> Result<Peer, PeerError> {
    let principal = peer_principal(connection)?;
    let protocol = negotiated(connection)?;
    match protocol {
        Protocol::Mesh => principal.check_node(None)?,
        Protocol::Client => {}
    }
    Ok(Peer {
        protocol,
        principal,
    })
}

fn negotiated(connection: &Connection) -> Result<Protocol, PeerError> {
    let alpn = connection
        .handshake_data()
        .and_then(|data| data.downcast::<HandshakeData>().ok())
        .and_then(|data| data.protocol)
        .ok_or(PeerError::Missing { what: "protocol" })?;
    Protocol::from_alpn(&alpn).ok_or_else(|| PeerError::Protocol {
        alpn: String::from_utf8_lossy(&alpn).into_owned(),
    })
}
