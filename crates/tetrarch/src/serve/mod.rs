//! Runs one node in the foreground: from the configuration to the last handover.

mod health;
pub mod logging;
mod settings;
mod signals;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tetrarch_client::tls::{Identity, IdentityFiles};
use tetrarch_coordinator::Node;
use tetrarch_gateway::{Gateway, Limits};

use crate::config::sections::Tls;
use crate::config::{HostPort, NodeFile};
use crate::error::Error;
use health::Served;
use signals::{Order, Signals};

/// Runs a node until it is told to stop, and stops it in good order.
///
/// # Errors
/// If it cannot be started, or its store fails while it runs.
pub async fn run(file: NodeFile) -> Result<(), Error> {
    let mut signals = Signals::listen()?;
    let identity = load_identity(&file.tls)?;
    check_name(&file.node.name, &identity)?;
    let (listen, admin) = addresses(&file).await?;
    let served = Arc::new(Served::default());
    let gateway = Gateway::bind(admin, Arc::<Served>::clone(&served), Limits::default()).await?;
    let config = settings::node_config(&file, listen, identity);
    let node = Arc::new(tokio::select! {
        started = Node::start(config) => started?,
        () = signals.stop() => return Ok(()),
    });
    served.set(Arc::clone(&node));
    let ended = attend(&node, &mut signals, &file.tls).await;
    tokio::select! {
        () = node.stop() => {}
        () = signals.stop() => tracing::warn!("told to stop again: not waiting for handovers"),
    }
    gateway.stop().await;
    ended
}

/// Carries out what the operator signals, until the node is to end.
async fn attend(node: &Node, signals: &mut Signals, tls: &Tls) -> Result<(), Error> {
    loop {
        tokio::select! {
            failure = node.store_lost() => return Err(failure.into()),
            order = signals.next() => match order {
                Order::Stop => return Ok(()),
                Order::Reload => reload(node, tls),
            }
        }
    }
}

fn reload(node: &Node, tls: &Tls) {
    let reloaded = load_identity(tls).and_then(|identity| {
        check_name(node.name(), &identity)?;
        Ok(node.reload(identity)?)
    });
    match reloaded {
        Ok(()) => tracing::info!(cert = %tls.cert.display(), "certificates taken up"),
        Err(error) => tracing::error!(%error, "certificates not taken up, the old ones stay"),
    }
}

fn load_identity(tls: &Tls) -> Result<Identity, Error> {
    Ok(Identity::load(&IdentityFiles {
        ca: tls.ca.clone(),
        certificate: tls.cert.clone(),
        key: tls.key.clone(),
    })?)
}

fn check_name(name: &str, identity: &Identity) -> Result<(), Error> {
    let principal = identity.principal();
    if principal.check_node(Some(name)).is_ok() {
        return Ok(());
    }
    Err(Error::WrongCertificate {
        name: name.to_owned(),
        found: principal.uri(),
    })
}

/// Where nodes and clients, and where HTTP, are listened for.
async fn addresses(file: &NodeFile) -> Result<(SocketAddr, SocketAddr), Error> {
    let missing = || Error::Invalid("the configuration has no `listen.address`".into());
    let address = file.listen.address.as_ref().ok_or_else(missing)?;
    let listen = resolve(address).await?;
    let admin = match &file.listen.admin_address {
        Some(admin) => resolve(admin).await?,
        None => listen,
    };
    Ok((listen, admin))
}

async fn resolve(address: &HostPort) -> Result<SocketAddr, Error> {
    let failed = |source| Error::Resolve {
        address: address.to_string(),
        source,
    };
    let mut found = tokio::net::lookup_host(address.to_string())
        .await
        .map_err(failed)?;
    let none = || failed(std::io::ErrorKind::NotFound.into());
    found.next().ok_or_else(none)
}

/// Reads the configuration of the node to run.
///
/// # Errors
/// Everything that is wrong with it.
pub fn configuration(path: &Path) -> Result<NodeFile, Error> {
    crate::config::load(path, &crate::config::environment())
}
