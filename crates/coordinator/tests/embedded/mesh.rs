//! A mesh of embedded nodes with keys and data of their own.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use tempfile::TempDir;
use tetrarch_client::{
    Client, ClientConfig,
    tls::{Identity, IdentityFiles},
};
use tetrarch_coordinator::{Node, NodeConfig};
use tetrarch_log::{RealDisk, StoreIdentity, StoreOptions};
use tetrarch_replica::{
    DiskGauge, Settings,
    catalog::{Genesis, GenesisNode},
};
use tetrarch_tests::Port;
use tetrarch_wire::{ClusterId, NodeId, StoreId};

const READY: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(crate) struct Mesh {
    pub(crate) nodes: Vec<Node>,
    configs: Vec<NodeConfig>,
    client: Identity,
    _root: TempDir,
    _ports: Vec<Port>,
}

impl Mesh {
    pub(crate) async fn start(count: usize) -> Self {
        let mesh = Self::start_some(count, count).await;
        for node in &mesh.nodes {
            node.wait_ready(READY).await.unwrap();
        }
        mesh
    }

    /// Founds a mesh of `count` nodes and starts the first `started` of them.
    pub(crate) async fn start_some(count: usize, started: usize) -> Self {
        let root = TempDir::new().unwrap();
        let founding = Founding::new(&root, count);
        let configs: Vec<NodeConfig> = (0..count).map(|index| founding.config(index)).collect();
        let client = founding.identity("client/test");
        let mut nodes = Vec::new();
        for config in &configs[..started] {
            nodes.push(Node::start(config.clone()).await.unwrap());
        }
        Self {
            nodes,
            configs,
            client,
            _root: root,
            _ports: founding.ports,
        }
    }

    pub(crate) async fn client(&self) -> Client {
        let seeds = self
            .nodes
            .iter()
            .map(|node| node.local_addr().to_string())
            .collect();
        Client::connect(ClientConfig::new(seeds, self.client.clone()))
            .await
            .unwrap()
    }

    pub(crate) async fn stop(&self) {
        for node in &self.nodes {
            node.stop().await;
        }
    }

    /// Drops every node without stopping it, and starts the first again as soon as it can be: when
    /// its store is free.
    pub(crate) async fn drop_all_and_restart_one(&mut self) {
        self.nodes.clear();
        let begun = Instant::now();
        loop {
            match Node::start(self.configs[0].clone()).await {
                Ok(node) => return self.nodes.push(node),
                Err(error) => assert!(begun.elapsed() < READY, "still not free: {error}"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(crate) async fn restart(&mut self) {
        self.nodes.clear();
        for config in &self.configs {
            self.nodes.push(Node::start(config.clone()).await.unwrap());
        }
        for node in &self.nodes {
            node.wait_ready(READY).await.unwrap();
        }
    }
}

struct Founding {
    root: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    authority: String,
    addresses: Vec<SocketAddr>,
    ports: Vec<Port>,
}

impl Founding {
    fn new(root: &TempDir, count: usize) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let ports: Vec<Port> = (0..count).map(|_| Port::reserve()).collect();
        let addresses = ports.iter().map(Port::address).collect();
        let founding = Self {
            root: root.path().to_owned(),
            issuer: Issuer::new(params, key),
            authority,
            addresses,
            ports,
        };
        founding.format(count);
        founding
    }

    fn format(&self, count: usize) {
        let cluster = ClusterId::from_bytes([7; 16]);
        let nodes = (0..count).map(|index| GenesisNode {
            name: name(index),
            node: node_id(index),
            store: store_id(index),
            address: self.addresses[index].to_string(),
        });
        let genesis = Genesis::new(cluster, [1; 16], nodes.collect()).unwrap();
        for index in 0..count {
            let identity = StoreIdentity {
                cluster,
                node: node_id(index),
                store: store_id(index),
                name: name(index),
                genesis: genesis.encode(),
            };
            let dir = self.data_dir(index);
            tetrarch_log::format(&RealDisk, &dir, &identity).unwrap();
        }
    }

    fn data_dir(&self, index: usize) -> PathBuf {
        self.root.join(name(index))
    }

    fn identity(&self, path: &str) -> Identity {
        let mut params = CertificateParams::default();
        let uri = format!("spiffe://mesh.test/{path}");
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |ending: &str, text: &str| {
            let path = self
                .root
                .join(format!("{}.{ending}", path.replace('/', "-")));
            std::fs::write(&path, text).unwrap();
            path
        };
        Identity::load(&IdentityFiles {
            ca: file("ca", &self.authority),
            certificate: file("crt", &certificate.pem()),
            key: file("key", &key.serialize_pem()),
        })
        .unwrap()
    }

    fn config(&self, index: usize) -> NodeConfig {
        NodeConfig {
            data_dir: self.data_dir(index),
            listen: self.addresses[index],
            address: self.addresses[index].to_string(),
            labels: Vec::new(),
            identity: self.identity(&format!("node/{}", name(index))),
            client_identity: None,
            peers: Vec::new(),
            protocol: Settings::default(),
            store: StoreOptions {
                wal_file_bytes: Some(4 * 1024 * 1024),
                ..Default::default()
            },
            disk_dwell: DiskGauge::DWELL,
            replace_after: Some(NodeConfig::DEFAULT_REPLACE_AFTER),
            scrub_bytes_per_second: NodeConfig::DEFAULT_SCRUB_BYTES_PER_SECOND,
            workers: 1 + index % 2,
            max_unacknowledged_bytes: NodeConfig::DEFAULT_MAX_UNACKNOWLEDGED_BYTES,
            recent_bytes: NodeConfig::DEFAULT_RECENT_BYTES,
            metrics_channels: "*".to_owned(),
            metrics_max_channels: NodeConfig::DEFAULT_METRICS_MAX_CHANNELS,
        }
    }
}

fn name(index: usize) -> String {
    format!("n{}", index + 1)
}

fn node_id(index: usize) -> NodeId {
    NodeId::from_spiffe_uri(&format!("spiffe://mesh.test/node/{}", name(index)))
}

fn store_id(index: usize) -> StoreId {
    StoreId::from_bytes([u8::try_from(index).unwrap() + 1; 16])
}
