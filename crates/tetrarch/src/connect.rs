//! From a mesh directory to a connected client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tetrarch_client::tls::{Identity, IdentityFiles};
use tetrarch_client::{Client, ClientConfig};

use crate::error::Error;
use crate::mesh::context::{self, Context};

/// Which mesh to talk to, and how long to try.
#[derive(Clone, Debug, clap::Args)]
pub struct MeshArgs {
    /// A mesh directory or a client's directory; else ./mesh.
    #[arg(long, env = "TETRARCH_MESH", value_name = "DIR")]
    mesh: Option<PathBuf>,
    /// For how many seconds to try before giving up.
    #[arg(long, default_value_t = 15, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

impl MeshArgs {
    /// Connects to the mesh.
    ///
    /// # Errors
    /// If there is no context, it cannot be used, or no node answers in time.
    pub async fn connect(&self) -> Result<Client, Error> {
        let directory = context::find(self.mesh.as_deref())?;
        connect(&directory, Duration::from_secs(self.timeout)).await
    }

    /// For how long to try.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Connects as the client whose directory is given.
///
/// # Errors
/// If its context cannot be used, or no node answers within `limit`.
pub async fn connect(directory: &Path, limit: Duration) -> Result<Client, Error> {
    let context = Context::load(directory)?;
    let identity = Identity::load(&IdentityFiles {
        ca: context.ca,
        certificate: context.cert,
        key: context.key,
    })?;
    let seeds = context.nodes.into_values().collect();
    let config = ClientConfig {
        give_up_after: limit,
        ..ClientConfig::new(seeds, identity)
    };
    Ok(Client::connect(config).await?)
}
