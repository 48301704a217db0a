//! The TLS configurations of both ends, ready for QUIC. No 0-RTT and no session resumption: every
//! connection shows its certificates anew, so that a replaced or expired one counts at once.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{client::Resumption, sign::SingleCertAndKey, version::TLS13};

use super::{
    Identity, IdentityError, Protocol, provider::provider, verify_client::PrincipalVerifier,
    verify_server::NodeVerifier,
};

/// What is asked for as the server's name. It means nothing: names are in certificates.
pub const SERVER_NAME: &str = "tetrarch";

/// The configuration for dialling a node; only the node called `name`, if one is given.
///
/// # Errors
/// If TLS refuses it.
pub fn client_config(
    identity: &Identity,
    protocol: Protocol,
    name: Option<&str>,
) -> Result<quinn::ClientConfig, IdentityError> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| refused(identity, &error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NodeVerifier::new(identity, name)))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    tls.alpn_protocols = vec![protocol.alpn().to_vec()];
    tls.resumption = Resumption::disabled();
    tls.enable_early_data = false;
    let quic = QuicClientConfig::try_from(tls).map_err(|error| refused(identity, &error))?;
    Ok(quinn::ClientConfig::new(Arc::new(quic)))
}

/// The configuration for accepting connections. A running endpoint takes a new one with
/// [`quinn::Endpoint::set_server_config`]; it counts from the next handshake on.
///
/// # Errors
/// If TLS refuses it.
pub fn server_config(
    identity: &Identity,
    protocols: &[Protocol],
) -> Result<quinn::ServerConfig, IdentityError> {
    let verifier = PrincipalVerifier::new(identity).map_err(|error| refused(identity, &error))?;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| refused(identity, &error))?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    tls.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.alpn().to_vec())
        .collect();
    tls.max_early_data_size = 0;
    tls.send_tls13_tickets = 0;
    let quic = QuicServerConfig::try_from(tls).map_err(|error| refused(identity, &error))?;
    Ok(quinn::ServerConfig::with_crypto(Arc::new(quic)))
}

fn refused(identity: &Identity, error: &dyn std::fmt::Display) -> IdentityError {
    IdentityError::Config {
        principal: identity.principal().uri(),
        why: error.to_string(),
    }
}
