//! What a mesh is started with: where to listen, who this node is, whom it knows, and every bound.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use tetrarch_client::tls::Identity;
use tetrarch_replica::Lane;
use tetrarch_wire::{Boot, ClusterId, NodeId, StoreId, frame::Hello, limits};

/// Reads the node's monotonic clock, in nanoseconds.
pub(crate) type MonotonicClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a mesh is started with.
pub(crate) struct MeshConfig {
    /// Where peers and clients reach this node; UDP.
    pub(crate) listen: SocketAddr,
    /// The node's key, certificate and trusted authority.
    pub(crate) identity: Identity,
    /// Who this node is.
    pub(crate) local: LocalNode,
    /// The clock whose time the first frame carries.
    pub(crate) clock: MonotonicClock,
    /// The other nodes. A node that is not among them is refused.
    pub(crate) peers: Vec<PeerAddress>,
    /// Every bound.
    pub(crate) limits: Limits,
}

/// Who this node is, as its first frame says it.
#[derive(Clone, Debug)]
pub(crate) struct LocalNode {
    /// The mesh.
    pub(crate) cluster: ClusterId,
    /// The node; the one that its certificate names.
    pub(crate) node: NodeId,
    /// Its store.
    pub(crate) store: StoreId,
    /// The current start of its store.
    pub(crate) boot: Boot,
    /// Its name.
    pub(crate) name: String,
    /// Where it is reached, as `host:port`.
    pub(crate) address: String,
    /// What it is labelled with.
    pub(crate) labels: Vec<(String, String)>,
}

impl LocalNode {
    /// The first frame of a connection, said at `mono_now_ns`.
    pub(super) fn hello(&self, mono_now_ns: u64) -> Hello {
        Hello {
            protocol: Hello::PROTOCOL,
            cluster: self.cluster,
            node: self.node,
            store: self.store,
            boot: self.boot,
            features: 0,
            max_frame: u32::try_from(limits::MAX_DATA_FRAME).unwrap_or(u32::MAX),
            mono_now_ns,
            name: self.name.clone(),
            address: self.address.clone(),
            labels: self.labels.clone(),
        }
    }
}

/// Another node and where to dial it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerAddress {
    /// The node.
    pub(crate) node: NodeId,
    /// Its name.
    pub(crate) name: String,
    /// Where it is reached, as `host:port`; looked up at each dial.
    pub(crate) address: String,
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}) at {}",
            self.name,
            self.node.short(),
            self.address
        )
    }
}

/// Every bound of a mesh (protocol §17). The defaults are the ones to use; tests shrink them.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Bytes that wait for one peer on the control lane.
    pub(crate) control_queue: usize,
    /// Bytes that wait for one peer on each data track.
    pub(crate) data_queue: usize,
    /// Bytes that wait for one peer on the bulk lane.
    pub(crate) bulk_queue: usize,
    /// Connections of clients.
    pub(crate) clients: usize,
    /// Streams that one client, or one peer, may have open.
    pub(crate) streams: u32,
    /// Connections that are not authenticated yet, before addresses have to be proved.
    pub(crate) half_open: usize,
    /// Connections that are not authenticated yet, before others are ignored.
    pub(crate) half_open_at_most: usize,
    /// How long authentication may take.
    pub(crate) handshake: Duration,
    /// How long a stream may be silent before its first frame.
    pub(crate) first_frame: Duration,
    /// How long a frame may take to arrive once it has begun.
    pub(crate) whole_frame: Duration,
    /// How long what is on its way may take to arrive before a connection is closed.
    pub(crate) farewell: Duration,
    /// The same for a connection whose place another one to the same start of the peer took.
    pub(crate) retirement: Duration,
}

impl Limits {
    /// Bytes that may wait on a track of this lane.
    pub(super) const fn queue(&self, lane: Lane) -> usize {
        match lane {
            Lane::Control => self.control_queue,
            Lane::Data => self.data_queue,
            Lane::Bulk => self.bulk_queue,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            control_queue: 1024 * 1024,
            data_queue: 8 * 1024 * 1024,
            bulk_queue: 4 * 1024 * 1024,
            clients: 4_096,
            streams: 256,
            half_open: 256,
            half_open_at_most: 4_096,
            handshake: Duration::from_secs(5),
            first_frame: Duration::from_secs(2),
            whole_frame: Duration::from_secs(5),
            farewell: Duration::from_millis(500),
            retirement: Duration::from_secs(2),
        }
    }
}
