//! Clients of the mesh under test, inside the test's own process.

use std::time::Duration;

use tetrarch_client::{
    Client, ClientConfig,
    tls::{Identity, IdentityFiles},
};
use tetrarch_tests::Mesh;
use tokio::{runtime::Runtime, time::sleep};

/// What clients run on.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made")
}

/// A client's configuration for a mesh, as `init` made it.
pub(crate) fn config(mesh: &Mesh) -> ClientConfig {
    let dir = mesh.dir().join("client");
    let identity = Identity::load(&IdentityFiles {
        ca: dir.join("ca.pem"),
        certificate: dir.join("client.pem"),
        key: dir.join("client.key"),
    });
    let seeds = mesh.nodes.iter().map(|node| node.address.to_string());
    ClientConfig {
        give_up_after: Duration::from_secs(5),
        ..ClientConfig::new(seeds.collect(), identity.expect("init made an identity"))
    }
}

/// Connects, for as long as it takes.
pub(crate) async fn connect(config: &ClientConfig) -> Client {
    loop {
        match Client::connect(config.clone()).await {
            Ok(client) => return client,
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}
