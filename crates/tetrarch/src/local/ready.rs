//! Waiting until a mesh that was just started takes work.

use std::path::Path;
use std::time::Duration;

use tetrarch_client::Client;
use tokio::time::{sleep, timeout};

use super::LocalMesh;
use crate::connect;
use crate::error::Error;

/// How long one operation of the client may take, elections included.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the mesh is asked.
const ASK_AGAIN: Duration = Duration::from_millis(20);

impl LocalMesh {
    /// A client of the mesh, as soon as all nodes hear each other.
    ///
    /// # Errors
    /// If they do not within `limit`, or one of them ends.
    pub async fn client(&mut self, limit: Duration) -> Result<Client, Error> {
        let (directory, count) = (self.client_dir(), self.nodes.len());
        let ready = timeout(limit, connect_when_ready(&directory, count));
        let ready = async {
            ready.await.unwrap_or_else(|_| {
                let what = format!("that {count} nodes hear each other");
                Err(Error::TooLate { what, limit })
            })
        };
        self.during(ready).await
    }
}

async fn connect_when_ready(directory: &Path, count: usize) -> Result<Client, Error> {
    let client = connect::connect(directory, PATIENCE).await?;
    loop {
        let nodes = client.admin().status().await?.nodes;
        if nodes.iter().filter(|node| node.alive).count() >= count {
            return Ok(client);
        }
        sleep(ASK_AGAIN).await;
    }
}
