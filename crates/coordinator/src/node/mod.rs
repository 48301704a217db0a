//! The node as a whole: starting, being asked, stopping.

mod facts;
mod health;
mod inbound;
pub(crate) mod recovery;
mod start;
mod stop;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tetrarch_client::{Client, ClientConfig, tls::Identity};
use tetrarch_replica::RoleChange;
use tetrarch_wire::ReplicaRole;
use tokio::sync::{broadcast, watch};

pub(crate) use facts::{DiskFacts, NodeFacts};
pub use health::{ChannelHealth, Health};

use crate::{
    NodeConfig, NodeError,
    channel::Workers,
    mesh_link::MeshLink,
    session::SessionContext,
    store::{FlushHandle, ReadHandle, ScrubHandle, StoreFailed, WriteHandle},
    telemetry::{Certificate, Outcome},
    transport::Mesh,
};

/// How many role changes a watcher may lag behind.
const TRANSITIONS_KEPT: usize = 1_024;

/// A change of a channel's role on this node.
#[derive(Clone, Debug)]
pub struct TransitionEvent {
    /// Name of the channel.
    pub channel: String,
    /// What changed, and why.
    pub change: RoleChange,
}

/// A running node. Dropping it stops its tasks without handing anything over; [`Node::stop`] stops
/// it in good order.
pub struct Node {
    mesh: Mesh,
    mesh_link: Arc<MeshLink>,
    sessions: Arc<SessionContext>,
    workers: Workers,
    writes: WriteHandle,
    reads: ReadHandle,
    flush: FlushHandle,
    scrub: Option<ScrubHandle>,
    transitions: broadcast::Sender<TransitionEvent>,
    store_failed: StoreFailed,
    /// Set once the node is asked to stop.
    stopping: watch::Sender<bool>,
    /// Set once its tasks are to end.
    halt: watch::Sender<bool>,
    threads: Mutex<Threads>,
    client_identity: Option<Identity>,
    drain_timeout: Duration,
}

/// The node's own threads, joined once.
#[derive(Default)]
struct Threads {
    wal: Option<JoinHandle<()>>,
    flush: Option<JoinHandle<()>>,
    reads: Vec<JoinHandle<()>>,
    scrub: Option<JoinHandle<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Node {
    /// Starts a node on the current runtime: opens its store, recovers its channels, listens, and
    /// connects to the other nodes. Returns before it has found them; see [`Node::wait_ready`].
    ///
    /// # Errors
    /// If the data directory, the certificate or the address cannot be used.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        start::start(config).await
    }

    /// Name of the node.
    #[must_use]
    pub fn name(&self) -> &str {
        self.sessions.facts.name()
    }

    /// Where the node listens for nodes and clients.
    #[must_use]
    pub fn local_addr(&self) -> std::net::SocketAddr {
        self.mesh.local_addr()
    }

    /// The node's role in a channel; `None` if the node does not hold it.
    #[must_use]
    pub fn role(&self, channel: &str) -> Option<ReplicaRole> {
        let entry = self.sessions.catalog.find(channel)?;
        self.sessions
            .registry
            .get(entry.uid)
            .map(|handle| handle.role())
    }

    /// Follows every change of role on this node from now on. A watcher that lags too far behind
    /// is told how many it missed.
    #[must_use]
    pub fn transitions(&self) -> broadcast::Receiver<TransitionEvent> {
        self.transitions.subscribe()
    }

    /// The node's metrics, in the OpenMetrics text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.sessions.telemetry.encode()
    }

    /// A client that connects to this node.
    ///
    /// # Errors
    /// If the node was configured without a client identity, or the client cannot connect.
    pub async fn client(&self) -> Result<Client, NodeError> {
        let identity = self
            .client_identity
            .clone()
            .ok_or(NodeError::NoClientIdentity)?;
        let seeds = vec![self.local_addr().to_string()];
        Ok(Client::connect(ClientConfig::new(seeds, identity)).await?)
    }

    /// Takes a new certificate, key and authority into use for connections from now on.
    ///
    /// # Errors
    /// If they cannot be used; the old ones stay in use then.
    pub fn reload(&self, identity: Identity) -> Result<(), NodeError> {
        let not_after = identity.not_after();
        let reloaded = self.mesh.reload(identity);
        let telemetry = &self.sessions.telemetry;
        match &reloaded {
            Ok(()) => {
                telemetry.certificate(Certificate::Node, not_after);
                telemetry.certificates_reloaded(Outcome::Done);
            }
            Err(_) => telemetry.certificates_reloaded(Outcome::Failed),
        }
        Ok(reloaded?)
    }

    /// Returns when the store has failed and the process should end.
    pub async fn store_lost(&self) -> NodeError {
        let mut failed = self.store_failed.subscribe();
        if failed.wait_for(|failed| *failed).await.is_err() {
            tracing::debug!("the node stopped");
        }
        NodeError::StoreLost
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
        self.halt.send_replace(true);
        self.mesh_link.disconnect();
        self.mesh.abandon();
        self.writes.stop();
        self.reads.stop();
        if let Some(scrub) = &self.scrub {
            scrub.stop();
        }
        self.flush.stop();
    }
}
