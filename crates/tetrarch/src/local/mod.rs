//! A mesh on this machine for a while: real node processes with keys and data directories of their
//! own, which never outlive the process that started them.

mod home;
mod metrics;
mod parent;
mod ports;
mod process;
mod ready;

pub use home::Home;
pub use parent::end_with_parent;
pub use process::NodeProcess;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::commands::init;
use crate::config::HostPort;
use crate::error::Error;
use crate::mesh::founding::NodeSpec;
use crate::mesh::{Layout, manifest};

/// For how long the certificates of such a mesh are valid.
const DAYS: u32 = 365;

/// A mesh on this machine.
#[derive(Debug)]
pub struct LocalMesh {
    layout: Layout,
    /// Dropped before the directory in which they run.
    nodes: Vec<LocalNode>,
    home: Home,
}

/// One of its nodes, running or not.
#[derive(Debug)]
struct LocalNode {
    name: String,
    address: HostPort,
    config: PathBuf,
    log: PathBuf,
    process: Option<NodeProcess>,
}

impl LocalMesh {
    /// Founds a mesh of `count` nodes, n1, n2 and so on, below `home`. Starts none of them.
    ///
    /// # Errors
    /// If there are no free ports, or the directory cannot be made.
    pub fn found(home: Home, count: usize, client: &str) -> Result<Self, Error> {
        let specs: Vec<_> = ports::free(count)?
            .into_iter()
            .enumerate()
            .map(|(index, address)| NodeSpec {
                name: format!("n{}", index + 1),
                address,
            })
            .collect();
        let layout = mesh_in(&home);
        init::found(layout.root(), &specs, client, DAYS)?;
        Ok(Self::of(home, layout, specs))
    }

    /// The mesh that was founded below `home` before, with its events; else a new one.
    ///
    /// # Errors
    /// As [`Self::found`], or if what is there is not a mesh.
    pub fn found_or_open(home: Home, count: usize, client: &str) -> Result<Self, Error> {
        let layout = mesh_in(&home);
        if !layout.manifest().exists() {
            return Self::found(home, count, client);
        }
        let specs = manifest::load(&layout)?
            .nodes()
            .iter()
            .map(|node| NodeSpec::parse(&format!("{}={}", node.name, node.address)))
            .collect::<Result<_, _>>()
            .map_err(|why| Error::Malformed {
                path: layout.manifest(),
                why,
            })?;
        Ok(Self::of(home, layout, specs))
    }

    fn of(home: Home, layout: Layout, specs: Vec<NodeSpec>) -> Self {
        let nodes = specs
            .into_iter()
            .map(|spec| LocalNode {
                config: layout.node(&spec.name).join("node.toml"),
                log: layout.node(&spec.name).join("node.log"),
                name: spec.name,
                address: spec.address,
                process: None,
            })
            .collect();
        Self {
            layout,
            nodes,
            home,
        }
    }

    /// The mesh directory: what `--mesh` wants.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.layout.root()
    }

    /// The directory of the client that belongs to it.
    #[must_use]
    pub fn client_dir(&self) -> PathBuf {
        self.layout.first_client()
    }

    /// The names of the nodes.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// Starts every node that is not running. The kernel ends a node together with the thread that
    /// started it, so only a thread that stays may do this: the one that runs the command.
    ///
    /// # Errors
    /// If one of them cannot be started.
    pub fn start_all(&mut self) -> Result<(), Error> {
        for node in &mut self.nodes {
            node.start()?;
        }
        Ok(())
    }

    /// Starts one node, if it is not running.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&mut self, name: &str) -> Result<(), Error> {
        self.node(name)?.start()
    }

    /// Kills one node, as a power cut would.
    ///
    /// # Errors
    /// If there is none of that name, or it has ended by itself.
    pub fn kill(&mut self, name: &str) -> Result<(), Error> {
        let node = self.node(name)?;
        node.check()?;
        node.process = None;
        Ok(())
    }

    /// The nodes that ended by themselves since this was asked last; they can be started again.
    ///
    /// # Errors
    /// If the operating system does not tell.
    pub fn take_ended(&mut self) -> Result<Vec<String>, Error> {
        let mut ended = Vec::new();
        for node in &mut self.nodes {
            match node.check() {
                Ok(()) => {}
                Err(Error::NodeEnded { name, .. }) => {
                    node.process = None;
                    ended.push(name);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(ended)
    }

    /// Whether every node that was started is still running.
    ///
    /// # Errors
    /// The first that is not, with the end of its log.
    pub fn check(&mut self) -> Result<(), Error> {
        self.nodes.iter_mut().try_for_each(LocalNode::check)
    }

    /// Does something with the mesh for as long as its nodes run.
    ///
    /// # Errors
    /// What came of it, or the first node that ended meanwhile.
    pub async fn during<T, E: Into<Error>>(
        &mut self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(Duration::from_millis(100), &mut work).await {
                Ok(done) => return done.map_err(Into::into),
                Err(_) => self.check()?,
            }
        }
    }

    /// The process ids of the running nodes, by name.
    #[must_use]
    pub fn processes(&self) -> Vec<(String, u32)> {
        let running = |node: &LocalNode| Some((node.name.clone(), node.process.as_ref()?.id()));
        self.nodes.iter().filter_map(running).collect()
    }

    /// Stops every node in good order, and removes what is not to be kept.
    ///
    /// # Errors
    /// If a node does not stop within `limit`; it is killed then.
    pub fn stop(mut self, limit: Duration) -> Result<(), Error> {
        let mut running: Vec<_> = self
            .nodes
            .iter_mut()
            .filter_map(|node| node.process.take())
            .collect();
        for process in &mut running {
            process.ask_to_stop()?;
        }
        let stopped = running
            .into_iter()
            .map(|process| process.wait(limit))
            .collect::<Vec<_>>();
        stopped.into_iter().collect::<Result<(), _>>()?;
        self.home.close()
    }

    /// Kills every node, and leaves everything as it is on disk; gives the directory.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        drop(self.nodes);
        self.home.keep()
    }

    fn node(&mut self, name: &str) -> Result<&mut LocalNode, Error> {
        let found = self.nodes.iter_mut().find(|node| node.name == name);
        found.ok_or_else(|| Error::Invalid(format!("no node of this mesh is called {name}")))
    }
}

/// Where the mesh of a home is.
fn mesh_in(home: &Home) -> Layout {
    Layout::new(&home.path().join("mesh"))
}

impl LocalNode {
    fn start(&mut self) -> Result<(), Error> {
        if self.process.is_none() {
            self.process = Some(NodeProcess::start(&self.name, &self.config, &self.log)?);
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Error> {
        self.process.as_mut().map_or(Ok(()), NodeProcess::check)
    }
}
