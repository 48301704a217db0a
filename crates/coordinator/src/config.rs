//! What a node needs to know to start.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tetrarch_client::tls::Identity;
use tetrarch_log::StoreOptions;
use tetrarch_replica::Settings;

/// The configuration of a node. The binary makes it from `node.toml`; an application that embeds a
/// node fills it in itself.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The formatted data directory.
    pub data_dir: PathBuf,
    /// Where to listen for nodes and clients (UDP).
    pub listen: SocketAddr,
    /// The address that others use, as `host:port`; usually that of `listen`.
    pub address: String,
    /// What the node is labelled with, such as `zone=a`.
    pub labels: Vec<(String, String)>,
    /// The node's certificate and key, and the authority that it trusts.
    pub identity: Identity,
    /// The identity with which [`crate::Node::client`] connects; without one there is no such
    /// client.
    pub client_identity: Option<Identity>,
    /// Addresses of nodes, by name, where they differ from what the genesis says.
    pub peers: Vec<(String, String)>,
    /// Times and bounds of the protocol.
    pub protocol: Settings,
    /// Sizes of the store.
    pub store: StoreOptions,
    /// For how long there must be clearly more room on a disk that was too full before channels come
    /// back; [`tetrarch_replica::DiskGauge::DWELL`] unless told otherwise.
    pub disk_dwell: Duration,
    /// How long a node may be gone before its channels are moved to others; for ever without one. The leader
    /// of the catalog's counts.
    pub replace_after: Option<Duration>,
    /// How many bytes a second are read in the background to find damage; 0 for none.
    pub scrub_bytes_per_second: u64,
    /// How many tasks share the channels; at least 1.
    pub workers: usize,
    /// Bytes of events that may be unacknowledged on this node, over all channels. Beyond them
    /// clients are told to try again.
    pub max_unacknowledged_bytes: usize,
    /// About how many bytes of recent batches are kept in memory, over all channels; a channel's own
    /// bound is in `protocol`.
    pub recent_bytes: usize,
    /// Which channels have metrics of their own: a pattern with `*` and `?`.
    pub metrics_channels: String,
    /// How many channels have metrics of their own at most; the others share a series.
    pub metrics_max_channels: usize,
}

impl NodeConfig {
    /// Unacknowledged bytes per node unless told otherwise (protocol §8).
    pub const DEFAULT_MAX_UNACKNOWLEDGED_BYTES: usize = 512 * 1024 * 1024;
    /// How long a node may be gone unless told otherwise.
    pub const DEFAULT_REPLACE_AFTER: Duration = Duration::from_secs(15 * 60);
    /// Bytes read in the background each second unless told otherwise.
    pub const DEFAULT_SCRUB_BYTES_PER_SECOND: u64 = 4 * 1024 * 1024;
    /// Recent batches in memory unless told otherwise.
    pub const DEFAULT_RECENT_BYTES: usize = 64 * 1024 * 1024;
    /// Channels with metrics of their own unless told otherwise.
    pub const DEFAULT_METRICS_MAX_CHANNELS: usize = 200;
}
