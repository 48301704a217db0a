//! What the node knows of itself and of the other nodes: who they are, where, and whether they are
//! heard.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tetrarch_replica::{
    catalog::Genesis,
    placement::{PlacementError, PlacementNode, place},
};
use tetrarch_wire::{
    ChannelConfig, ChannelUid, DecodeError, NodeId, ReplicaRole, StoreId, Voter, VoterId,
    frame::{ChannelEntry, CreateChannel, DiskLevel, NodeRoute, NodeStatus, Refused, RetryReason},
};
use thiserror::Error;

use crate::{mesh_link::MeshLink, registry::Registry, transport::Peer};

/// How long a client waits when the catalog has no known leader.
const CATALOG_RETRY_MS: u32 = 50;

/// Why a channel was not placed.
#[derive(Debug, Error)]
pub(crate) enum PlaceError {
    /// There are not enough nodes for it.
    #[error("{0}")]
    Placement(#[from] PlacementError),
    /// The replica set makes no configuration.
    #[error("{0}")]
    Config(#[from] DecodeError),
}

/// Disk facts of a node, as its beats say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DiskFacts {
    pub(crate) level: DiskLevel,
    pub(crate) free_bytes: u64,
}

/// The node and its neighbours.
pub(crate) struct NodeFacts {
    voter: Voter,
    name: String,
    address: String,
    labels: Vec<(String, String)>,
    genesis: Genesis,
    registry: Arc<Registry>,
    mesh: Arc<MeshLink>,
    disks: Mutex<BTreeMap<NodeId, DiskFacts>>,
}

impl NodeFacts {
    pub(crate) fn new(
        voter: Voter,
        (name, address): (String, String),
        labels: Vec<(String, String)>,
        genesis: Genesis,
        registry: Arc<Registry>,
        mesh: Arc<MeshLink>,
    ) -> Self {
        Self {
            voter,
            name,
            address,
            labels,
            genesis,
            registry,
            mesh,
            disks: Mutex::default(),
        }
    }

    pub(crate) fn me(&self) -> VoterId {
        self.voter.id()
    }

    pub(crate) fn node(&self) -> NodeId {
        self.voter.node
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The node on which `voter` of a channel is.
    pub(crate) fn node_of(&self, channel: ChannelUid, voter: VoterId) -> Option<NodeId> {
        self.registry.get(channel)?.leadership().node_of(voter)
    }

    /// The nodes that vote in the catalog's channel.
    pub(crate) fn founders(&self) -> impl Iterator<Item = NodeId> {
        let others = self.genesis.founders().iter().map(|founder| founder.node);
        others.filter(|node| *node != self.voter.node)
    }

    /// The voters that these nodes are, if all of them are connected.
    ///
    /// # Errors
    /// The name of one that is not.
    pub(crate) fn voters_on(&self, nodes: &[NodeId]) -> Result<Vec<Voter>, String> {
        let live = self.placement_nodes(&BTreeSet::new());
        let voter_on = |node: &NodeId| {
            let found = live.iter().find(|one| one.voter.node == *node);
            found
                .map(|one| one.voter)
                .ok_or_else(|| self.name_of(*node))
        };
        nodes.iter().map(voter_on).collect()
    }

    /// A node's name, or the beginning of its id if it was never heard of.
    pub(crate) fn name_of(&self, node: NodeId) -> String {
        if node == self.voter.node {
            return self.name.clone();
        }
        let founder = self
            .genesis
            .nodes()
            .iter()
            .find(|founder| founder.node == node);
        let name = founder.map(|founder| founder.name.clone());
        name.or_else(|| self.peer(node).map(|peer| peer.name.clone()))
            .unwrap_or_else(|| node.short())
    }

    /// Whether this node leads the catalog; if not, who does.
    ///
    /// # Errors
    /// A refusal that names the leader, if it is known.
    pub(crate) fn require_catalog_leader(&self, meta: ChannelUid) -> Result<(), Refused> {
        let handle = self.registry.get(meta);
        if handle
            .as_ref()
            .is_some_and(|handle| handle.role() == ReplicaRole::Leader)
        {
            return Ok(());
        }
        let leader = handle.and_then(|handle| handle.leadership().leader);
        let leader = leader.and_then(|voter| self.node_of(meta, voter));
        Err(Refused {
            request: 0,
            reason: RetryReason::NotLeader,
            retry_after_ms: Some(CATALOG_RETRY_MS),
            leader,
            detail: "another node leads the catalog".to_owned(),
        })
    }

    /// Notes what a node says of its disk.
    pub(crate) fn note_disk(&self, node: NodeId, facts: DiskFacts) {
        self.disks().insert(node, facts);
    }

    /// Every node of the mesh, for a client that looks for a way.
    pub(crate) fn node_routes(&self) -> Vec<NodeRoute> {
        self.known().into_values().collect()
    }

    /// Every node of the mesh, for an operator.
    pub(crate) fn node_statuses(&self, drained: &BTreeSet<NodeId>) -> Vec<NodeStatus> {
        let disks = self.disks().clone();
        self.known()
            .into_values()
            .map(|route| {
                let disk = disks.get(&route.node).filter(|_| route.alive);
                NodeStatus {
                    name: route.name,
                    id: route.node,
                    address: route.address,
                    alive: route.alive,
                    disk_level: disk.map(|disk| disk.level),
                    free_bytes: disk.map(|disk| disk.free_bytes),
                    is_drained: drained.contains(&route.node),
                }
            })
            .collect()
    }

    /// Chooses the replica set of a new channel among the nodes that are heard now.
    pub(crate) fn place(
        &self,
        wanted: &CreateChannel,
        drained: &BTreeSet<NodeId>,
    ) -> Result<ChannelEntry, PlaceError> {
        let nonce = creation_nonce();
        let uid = ChannelUid::derive(&wanted.name, &nonce);
        let live = self.placement_nodes(drained);
        let placement = place(uid, wanted.replicas.into(), &wanted.filter, &live)?;
        Ok(ChannelEntry {
            name: wanted.name.clone(),
            uid,
            genesis: ChannelConfig::genesis(wanted.class, placement.voters)?,
            retention: wanted.retention,
            filter: wanted.filter.clone(),
            first_leader: placement.first_leader,
        })
    }

    /// Every node that is heard and follows the catalog, and whether it may hold a channel. One that founded
    /// the mesh with another disk does not: nothing would tell it what to hold.
    pub(crate) fn placement_nodes(&self, drained: &BTreeSet<NodeId>) -> Vec<PlacementNode> {
        let disks = self.disks().clone();
        let node = |voter: Voter, labels: &[(String, String)]| PlacementNode {
            voter,
            labels: labels.to_vec(),
            disk_level: disks.get(&voter.node).copied().unwrap_or_default().level,
            is_drained: drained.contains(&voter.node),
        };
        let follows = |voter: &Voter| {
            let mut founders = self.genesis.founders().iter();
            founders.any(|founder| founder.voter() == *voter)
        };
        let peers = self.peers();
        let peers = peers.iter().map(|peer| {
            let (id, store) = (peer.node, peer.store);
            node(Voter { node: id, store }, &peer.labels)
        });
        let me = node(self.voter, &self.labels);
        let live = peers.chain([me]);
        live.filter(|node| follows(&node.voter)).collect()
    }

    /// The stores of all nodes that are heard.
    pub(crate) fn stores(&self) -> BTreeMap<NodeId, StoreId> {
        let peers = self.peers();
        let others = peers.iter().map(|peer| (peer.node, peer.store));
        let me = (self.voter.node, self.voter.store);
        others.chain([me]).collect()
    }

    fn known(&self) -> BTreeMap<String, NodeRoute> {
        let mut routes = BTreeMap::new();
        for founder in self.genesis.nodes() {
            let (name, address) = (founder.name.clone(), founder.address.clone());
            let route = NodeRoute {
                node: founder.node,
                name,
                address,
                alive: false,
            };
            routes.insert(route.name.clone(), route);
        }
        for peer in self.peers() {
            let (name, address) = (peer.name.clone(), peer.address.clone());
            let route = NodeRoute {
                node: peer.node,
                name,
                address,
                alive: true,
            };
            routes.insert(route.name.clone(), route);
        }
        let (name, address) = (self.name.clone(), self.address.clone());
        let me = NodeRoute {
            node: self.voter.node,
            name,
            address,
            alive: true,
        };
        routes.insert(me.name.clone(), me);
        routes
    }

    fn peers(&self) -> Vec<Arc<Peer>> {
        self.mesh.get().map(|mesh| mesh.peers()).unwrap_or_default()
    }

    fn peer(&self, node: NodeId) -> Option<Arc<Peer>> {
        self.peers().into_iter().find(|peer| peer.node == node)
    }

    fn disks(&self) -> MutexGuard<'_, BTreeMap<NodeId, DiskFacts>> {
        self.disks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a channel's uid its own, even if one of the same name was deleted before.
fn creation_nonce() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let mut nonce = [0; 16];
    let now = crate::clock::moment().as_nanos();
    nonce[..8].copy_from_slice(&RandomState::new().hash_one(now).to_le_bytes());
    nonce[8..].copy_from_slice(&RandomState::new().hash_one("channel").to_le_bytes());
    nonce
}
