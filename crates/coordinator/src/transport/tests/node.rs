//! Nodes that are nothing but a transport and a memory.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use tetrarch_client::tls::Identity;
use tetrarch_wire::{Boot, ClusterId, NodeId, StoreId};

use super::{
    authority::{Authority, TRUST_DOMAIN},
    recorder::{Recorder, eventually},
};
use crate::transport::{Limits, LocalNode, Mesh, MeshConfig, PeerAddress, TransportError};

pub(super) const CLUSTER: ClusterId = ClusterId::from_bytes([7; 16]);

/// How a node is to be started.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) identity: Identity,
    pub(super) listen: SocketAddr,
    pub(super) cluster: ClusterId,
    pub(super) boot: u64,
    pub(super) limits: Limits,
    pub(super) peers: Vec<PeerAddress>,
}

/// A node.
pub(super) struct TestNode {
    pub(super) name: String,
    pub(super) id: NodeId,
    pub(super) mesh: Mesh,
    pub(super) seen: Arc<Recorder>,
}

pub(super) fn node_id(name: &str) -> NodeId {
    NodeId::from_spiffe_uri(&format!("spiffe://{TRUST_DOMAIN}/node/{name}"))
}

/// Reached under any address that is free.
pub(super) fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Plan {
    pub(super) fn new(name: &str, identity: Identity) -> Self {
        Self {
            name: name.into(),
            identity,
            listen: anywhere(),
            cluster: CLUSTER,
            boot: 1,
            limits: Limits::default(),
            peers: Vec::new(),
        }
    }

    pub(super) fn try_start(self) -> Result<TestNode, TransportError> {
        let seen = Arc::new(Recorder::default());
        let id = node_id(&self.name);
        let began = Instant::now();
        let config = MeshConfig {
            listen: self.listen,
            identity: self.identity,
            local: LocalNode {
                cluster: self.cluster,
                node: id,
                store: StoreId::from_bytes(*id.as_bytes()),
                boot: Boot::new(self.boot),
                name: self.name.clone(),
                address: self.listen.to_string(),
                labels: Vec::new(),
            },
            clock: Arc::new(move || u64::try_from(began.elapsed().as_nanos()).unwrap()),
            peers: self.peers,
            limits: self.limits,
        };
        Ok(TestNode {
            name: self.name,
            id,
            mesh: Mesh::start(config, Arc::clone(&seen))?,
            seen,
        })
    }

    pub(super) fn start(self) -> TestNode {
        self.try_start().unwrap()
    }
}

impl TestNode {
    pub(super) fn start(authority: &Authority, name: &str) -> Self {
        Plan::new(name, authority.node(name)).start()
    }

    pub(super) fn address(&self) -> PeerAddress {
        PeerAddress {
            node: self.id,
            name: self.name.clone(),
            address: self.mesh.local_addr().to_string(),
        }
    }

    /// Knows another node, so dials it and is open to it.
    pub(super) fn meet(&self, other: &Self) {
        self.mesh.add_peer(other.address());
    }

    /// Knows another node by name only: it is open to it, and dials in vain.
    pub(super) fn expect(&self, name: &str) {
        self.mesh.add_peer(PeerAddress {
            node: node_id(name),
            name: name.into(),
            address: "127.0.0.1:9".into(),
        });
    }

    pub(super) fn sees(&self, others: &[&Self]) -> bool {
        let peers = self.mesh.peers();
        others
            .iter()
            .all(|other| peers.iter().any(|peer| peer.node == other.id))
    }

    /// How many QUIC connections there are, half-open and closing ones included.
    pub(super) fn connections(&self) -> usize {
        self.mesh.shared().endpoint.open_connections()
    }
}

/// Two nodes that are connected, by one connection only: if both dialled, a second one could still
/// be on its way and take the place of the first at any moment.
pub(super) async fn pair(authority: &Authority) -> (TestNode, TestNode) {
    let one = TestNode::start(authority, "n1");
    let two = TestNode::start(authority, "n2");
    two.expect("n1");
    one.meet(&two);
    connected(&one, &two).await;
    (one, two)
}

/// Two nodes that dialled each other just now.
pub(super) async fn duellists(authority: &Authority) -> (TestNode, TestNode) {
    let one = TestNode::start(authority, "n1");
    let two = TestNode::start(authority, "n2");
    one.meet(&two);
    two.meet(&one);
    connected(&one, &two).await;
    (one, two)
}

pub(super) async fn connected(one: &TestNode, two: &TestNode) {
    eventually("both see each other", || {
        one.sees(&[two]) && two.sees(&[one])
    })
    .await;
}
