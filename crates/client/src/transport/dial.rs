//! Dialling a node.

use std::time::Duration;

use quinn::{ClientConfig, Connection, Endpoint};
use tokio::{net::lookup_host, time::timeout};

use super::DialError;
use crate::tls::SERVER_NAME;

/// How long a handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Dials `address`, given as `host:port`; the addresses that a host name stands for are tried one
/// after the other, all within `limit`. A peer that does not accept our certificate may say so
/// only after this has succeeded: the first use of the connection then fails, and
/// [`DialError::from_connection`] sorts its error.
///
/// # Errors
/// Why the last of the addresses was not reached.
pub async fn dial(
    endpoint: &Endpoint,
    config: &ClientConfig,
    address: &str,
    limit: Duration,
) -> Result<Connection, DialError> {
    match timeout(limit, dial_each(endpoint, config, address)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DialError::NoAnswer {
            address: address.to_owned(),
            timeout: limit,
        }),
    }
}

async fn dial_each(
    endpoint: &Endpoint,
    config: &ClientConfig,
    address: &str,
) -> Result<Connection, DialError> {
    let unresolved = |source| DialError::Resolve {
        address: address.to_owned(),
        source,
    };
    let mut last = unresolved(std::io::ErrorKind::NotFound.into());
    for resolved in lookup_host(address).await.map_err(unresolved)? {
        let connecting = endpoint
            .connect_with(config.clone(), resolved, SERVER_NAME)
            .map_err(|source| DialError::Start {
                address: address.to_owned(),
                source,
            });
        last = match connecting {
            Ok(connecting) => match connecting.await {
                Ok(connection) => return Ok(connection),
                Err(error) => DialError::from_connection(address, error),
            },
            Err(error) => error,
        };
    }
    Err(last)
}
