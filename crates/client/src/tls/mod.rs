//! Who is who: identities from PEM files, names from certificates, and the TLS configurations of
//! both ends (protocol §17). TLS 1.3 only, mutual, trusting a private bundle and nothing else.
//! Names are SPIFFE-style URIs; DNS names and common names mean nothing here.

mod config;
mod error;
mod identity;
mod peer;
mod principal;
mod protocol;
mod provider;
mod verify_client;
mod verify_server;

pub use config::{SERVER_NAME, client_config, server_config};
pub use error::{IdentityError, PeerError, PrincipalError};
pub use identity::{Identity, IdentityFiles};
pub use peer::{Peer, identify, peer_principal};
pub use principal::{Principal, PrincipalKind};
pub use protocol::{ALPN_CLIENT, ALPN_MESH, Protocol};
pub use provider::random_bytes;
