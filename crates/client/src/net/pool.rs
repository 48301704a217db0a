//! At most one connection per node, dialled by whoever needs it first. Everybody else who needs
//! it waits for that dial; after a failure nobody dials for a moment, and each further try is
//! given more time, so that a dead node costs little and a distant one is reached all the same.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use quinn::{Endpoint, TransportConfig, VarInt};
use tetrarch_wire::{NodeId, frame::CloseCode};
use tokio::time::Instant;

use super::NodeConnection;
use crate::{
    Error, Result,
    backoff::Backoff,
    config::ClientConfig,
    tls::{Identity, Protocol, client_config, peer_principal},
    transport::{DialError, HANDSHAKE_TIMEOUT, bind, dial},
};

const FIRST_PATIENCE: Duration = Duration::from_millis(500);

/// Who is to be dialled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// A node with a known name.
    Node(NodeId),
    /// Whatever node is at an address.
    Seed(String),
}

#[derive(Debug)]
struct Slot {
    node: Option<NodeId>,
    patience: Duration,
    backoff: Backoff,
    failure: Option<(Instant, Error)>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            node: None,
            patience: FIRST_PATIENCE,
            backoff: Backoff::new(Duration::from_millis(20), Duration::from_secs(1)),
            failure: None,
        }
    }
}

impl Slot {
    fn succeeded(&mut self, node: NodeId) {
        self.node = Some(node);
        self.patience = FIRST_PATIENCE;
        self.backoff.reset();
        self.failure = None;
    }

    fn failed(&mut self, error: &Error) {
        self.patience = (self.patience * 2).min(HANDSHAKE_TIMEOUT);
        self.failure = Some((Instant::now() + self.backoff.next(), error.clone()));
    }
}

type SharedSlot = Arc<tokio::sync::Mutex<Slot>>;

/// All connections of a client.
#[derive(Debug)]
pub(crate) struct Pool {
    endpoint: Endpoint,
    identity: Identity,
    transport: Arc<TransportConfig>,
    slots: Mutex<BTreeMap<Target, SharedSlot>>,
    live: Mutex<BTreeMap<NodeId, Arc<NodeConnection>>>,
}

impl Pool {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self> {
        let address = config.local_address();
        let endpoint = bind(address, None).map_err(|source| Error::Bind {
            address: address.to_string(),
            source: Arc::new(source),
        })?;
        Ok(Self {
            endpoint,
            identity: config.identity.clone(),
            transport: (&config.tuning).into(),
            slots: Mutex::default(),
            live: Mutex::default(),
        })
    }

    /// The live connection to a node, if there is one.
    pub(crate) fn live(&self, node: NodeId) -> Option<Arc<NodeConnection>> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|_, connection| connection.is_alive());
        live.get(&node).cloned()
    }

    /// Nodes to which there is a live connection.
    pub(crate) fn live_nodes(&self) -> Vec<NodeId> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|_, connection| connection.is_alive());
        live.keys().copied().collect()
    }

    /// The connection to a node is silent; the next who needs one dials anew.
    pub(crate) fn distrust(&self, node: NodeId) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.remove(&node);
    }

    /// The connection to a node, dialled at `address` if there is none.
    pub(crate) async fn node(
        &self,
        node: NodeId,
        name: &str,
        address: &str,
    ) -> Result<Arc<NodeConnection>> {
        if let Some(connection) = self.live(node) {
            return Ok(connection);
        }
        self.connect(Target::Node(node), Some(name), address).await
    }

    /// A connection to whatever node is at a seed address.
    pub(crate) async fn seed(&self, address: &str) -> Result<Arc<NodeConnection>> {
        self.connect(Target::Seed(address.to_owned()), None, address)
            .await
    }

    /// Closes every connection, and waits until the peers were told.
    pub(crate) async fn close(&self) {
        let code = VarInt::from_u32(CloseCode::Normal as u32);
        self.endpoint.close(code, b"the client closes");
        self.endpoint.wait_idle().await;
    }

    async fn connect(
        &self,
        target: Target,
        name: Option<&str>,
        address: &str,
    ) -> Result<Arc<NodeConnection>> {
        let slot = self.slot(target);
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.node.and_then(|node| self.live(node)) {
            return Ok(connection);
        }
        if let Some((until, error)) = &slot.failure
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match self.dial(name, address, slot.patience).await {
            Ok(connection) => {
                self.keep(&connection);
                slot.succeeded(connection.node());
                Ok(connection)
            }
            Err(error) => {
                tracing::debug!(%error, address, "a node was not reached");
                slot.failed(&error);
                Err(error)
            }
        }
    }

    fn slot(&self, target: Target) -> SharedSlot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(target).or_default())
    }

    async fn dial(
        &self,
        name: Option<&str>,
        address: &str,
        patience: Duration,
    ) -> Result<Arc<NodeConnection>> {
        let mut config = client_config(&self.identity, Protocol::Client, name)
            .map_err(|error| Error::Identity(Arc::new(error)))?;
        config.transport_config(Arc::clone(&self.transport));
        let connection = dial(&self.endpoint, &config, address, patience)
            .await
            .map_err(Arc::new)?;
        let principal = peer_principal(&connection).map_err(|source| {
            Arc::new(DialError::Peer {
                address: address.to_owned(),
                source,
            })
        })?;
        Ok(NodeConnection::new(connection, principal))
    }

    /// Of two connections to one node the newer one is used from now on: that it came about
    /// proves more than that the older one has not been given up. Who uses that one may go on.
    fn keep(&self, connection: &Arc<NodeConnection>) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.insert(connection.node(), Arc::clone(connection));
    }
}

impl Drop for Pool {
    /// Without this, lanes that still hold streams would keep connections open.
    fn drop(&mut self) {
        let code = VarInt::from_u32(CloseCode::Normal as u32);
        self.endpoint.close(code, b"the client was dropped");
    }
}
