//! The birth certificate of a mesh: which nodes found it, and therefore who votes in `__meta`
//! before anything is written anywhere.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, ClusterId, DecodeError, Link, NodeId, Retention,
    StoreId, Voter,
    frame::{ChannelEntry, LabelFilter},
    limits,
};

use super::fold::check_size;

/// The name of the channel that holds the catalog.
pub const META_CHANNEL: &str = "__meta";
/// Most nodes that vote in `__meta`.
pub const MAX_FOUNDERS: usize = 5;
/// Most nodes that a genesis names.
pub const MAX_GENESIS_NODES: usize = 128;

const WHAT: &str = "genesis";
/// More than any valid genesis takes; checked before anything is read.
const MAX_GENESIS_BYTES: usize =
    64 + MAX_GENESIS_NODES * (2 * 16 + limits::MAX_NAME_BYTES + limits::MAX_TEXT_BYTES + 8);

/// One node of a genesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisNode {
    /// Its name.
    pub name: String,
    /// The node.
    pub node: NodeId,
    /// Its store, formatted together with the genesis (protocol §3.1).
    pub store: StoreId,
    /// Where other nodes reach it, as `host:port`.
    pub address: String,
}

impl GenesisNode {
    /// The voter that the node is.
    #[must_use]
    pub const fn voter(&self) -> Voter {
        Voter {
            node: self.node,
            store: self.store,
        }
    }
}

/// The founding of a mesh (protocol §13, bootstrap): identical on all founding nodes. A node whose
/// genesis hashes differently belongs to another mesh and must refuse to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    record: Record,
    encoded: Bytes,
    meta: ChannelConfig,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    cluster: ClusterId,
    nonce: [u8; 16],
    nodes: Vec<GenesisNode>,
}

impl Genesis {
    /// The founding of `cluster` by `nodes`, the first [`MAX_FOUNDERS`] of which vote in `__meta`.
    ///
    /// # Errors
    /// If there is no node or too many, if a name or address is empty or too long, or if two nodes
    /// share a name, an id or a store.
    pub fn new(
        cluster: ClusterId,
        nonce: [u8; 16],
        nodes: Vec<GenesisNode>,
    ) -> Result<Self, DecodeError> {
        Self::from_record(Record {
            cluster,
            nonce,
            nodes,
        })
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are anything but one valid genesis.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        check_size("size of a genesis", bytes.len(), MAX_GENESIS_BYTES)?;
        let (record, rest) = postcard::take_from_bytes::<Record>(bytes)
            .map_err(|source| DecodeError::Structure { what: WHAT, source })?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes {
                what: WHAT,
                count: rest.len(),
            });
        }
        Self::from_record(record)
    }

    fn from_record(record: Record) -> Result<Self, DecodeError> {
        check_nodes(&record.nodes)?;
        let founders = &record.nodes[..record.nodes.len().min(MAX_FOUNDERS)];
        let voters = founders.iter().map(GenesisNode::voter).collect();
        let meta = ChannelConfig::genesis(ChannelClass::Quorum, voters)?;
        let encoded = postcard::to_allocvec(&record)
            .map_err(|source| DecodeError::Structure { what: WHAT, source })?
            .into();
        Ok(Self {
            record,
            encoded,
            meta,
        })
    }

    /// The bytes that every founding node stores.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.encoded.clone()
    }

    /// What must be equal on all nodes of the mesh.
    #[must_use]
    pub fn hash(&self) -> Link {
        Link::genesis(&self.encoded)
    }

    /// The mesh.
    #[must_use]
    pub const fn cluster(&self) -> ClusterId {
        self.record.cluster
    }

    /// What makes the uid of this mesh's `__meta` its own.
    #[must_use]
    pub const fn nonce(&self) -> &[u8; 16] {
        &self.record.nonce
    }

    /// The founding nodes, in the order in which they were named.
    #[must_use]
    pub fn nodes(&self) -> &[GenesisNode] {
        &self.record.nodes
    }

    /// The nodes that vote in `__meta`.
    #[must_use]
    pub fn founders(&self) -> &[GenesisNode] {
        &self.record.nodes[..self.record.nodes.len().min(MAX_FOUNDERS)]
    }

    /// The uid of `__meta`.
    #[must_use]
    pub fn meta_uid(&self) -> ChannelUid {
        ChannelUid::derive(META_CHANNEL, &self.record.nonce)
    }

    /// The genesis configuration of `__meta`.
    #[must_use]
    pub const fn meta_config(&self) -> &ChannelConfig {
        &self.meta
    }

    /// `__meta` as if the catalog recorded it: it is the one channel that no `Create` brings about.
    #[must_use]
    pub fn meta_entry(&self) -> ChannelEntry {
        ChannelEntry {
            name: META_CHANNEL.to_owned(),
            uid: self.meta_uid(),
            genesis: self.meta.clone(),
            retention: Retention::FOREVER,
            filter: LabelFilter::default(),
            first_leader: self.record.nodes[0].voter().id(),
        }
    }
}

fn check_nodes(nodes: &[GenesisNode]) -> Result<(), DecodeError> {
    if nodes.is_empty() {
        return Err(invalid("it names no node"));
    }
    check_size(
        "number of nodes in a genesis",
        nodes.len(),
        MAX_GENESIS_NODES,
    )?;
    for node in nodes {
        if node.name.is_empty() || node.address.is_empty() {
            return Err(invalid("a node in it has no name or no address"));
        }
        check_size("node name", node.name.len(), limits::MAX_NAME_BYTES)?;
        check_size("node address", node.address.len(), limits::MAX_TEXT_BYTES)?;
    }
    if count_distinct(nodes, |node| &node.name) < nodes.len() {
        return Err(invalid("two nodes in it have the same name"));
    }
    if count_distinct(nodes, |node| node.node) < nodes.len() {
        return Err(invalid("two nodes in it have the same id"));
    }
    if count_distinct(nodes, |node| node.store) < nodes.len() {
        return Err(invalid("two nodes in it have the same store"));
    }
    Ok(())
}

fn count_distinct<'a, T: Ord>(
    nodes: &'a [GenesisNode],
    field: impl Fn(&'a GenesisNode) -> T,
) -> usize {
    nodes.iter().map(field).collect::<BTreeSet<T>>().len()
}

const fn invalid(why: &'static str) -> DecodeError {
    DecodeError::Invalid { what: WHAT, why }
}
