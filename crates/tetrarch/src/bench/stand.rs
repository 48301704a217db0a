//! The mesh that is measured: one that was started for the purpose, or one that runs already.

use std::path::Path;
use std::time::Duration;

use tetrarch_client::Client;

use super::plan::Site;
use super::usage::Usage;
use crate::connect;
use crate::error::Error;
use crate::local::{Home, LocalMesh};
use crate::mesh::context;

/// How long a mesh may take to come up.
const START: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(20);
/// Nodes of a channel, if there are so many.
const REPLICAS: usize = 3;

/// A mesh under test, with a client of it.
#[derive(Debug)]
pub(super) struct Stand {
    /// The client.
    pub(super) client: Client,
    own: Option<LocalMesh>,
    nodes: Vec<String>,
}

impl Stand {
    /// Starts or finds the mesh.
    ///
    /// # Errors
    /// If it does not come up, or cannot be reached.
    pub(super) async fn open(site: &Site) -> Result<Self, Error> {
        let (client, own) = match site {
            Site::Own(nodes) => {
                let mut mesh = LocalMesh::found(Home::open(None)?, *nodes, "bench")?;
                mesh.start_all()?;
                (mesh.client(START).await?, Some(mesh))
            }
            Site::Running(directory) => (running(directory).await?, None),
        };
        let nodes = client.admin().status().await?.nodes;
        Ok(Self {
            client,
            own,
            nodes: nodes.into_iter().map(|node| node.name).collect(),
        })
    }

    /// The names of the nodes.
    pub(super) fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// On how many nodes a channel is to be.
    pub(super) fn replicas(&self) -> usize {
        self.nodes.len().min(REPLICAS)
    }

    /// Does something for as long as no node ends by itself.
    ///
    /// # Errors
    /// What came of it, or the node that ended.
    pub(super) async fn during<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match &mut self.own {
            Some(mesh) => mesh.during(work).await,
            None => work.await,
        }
    }

    /// What each node has consumed so far; unknown where the nodes are not ours.
    ///
    /// # Errors
    /// If a node of ours cannot be asked for.
    pub(super) fn usage(&self) -> Result<Vec<(String, Option<Usage>)>, Error> {
        let Some(mesh) = &self.own else {
            return Ok(self.nodes.iter().map(|node| (node.clone(), None)).collect());
        };
        let usage = |(node, process)| Ok((node, Some(Usage::of(process)?)));
        mesh.processes().into_iter().map(usage).collect()
    }

    /// How often nodes of ours have changed a role so far.
    ///
    /// # Errors
    /// If one of them does not tell.
    pub(super) fn role_changes(&self) -> Result<u64, Error> {
        let counters = self
            .own
            .iter()
            .map(|mesh| mesh.sum_counter("tetrarch_transitions_total"));
        counters.sum()
    }

    /// Stops a mesh of ours.
    ///
    /// # Errors
    /// If it does not stop in good order.
    pub(super) async fn close(self) -> Result<(), Error> {
        self.client.close().await;
        self.own.map_or(Ok(()), |mesh| mesh.stop(STOP))
    }
}

async fn running(directory: &Path) -> Result<Client, Error> {
    connect::connect(&context::find(Some(directory))?, START).await
}
