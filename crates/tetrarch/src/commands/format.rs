//! `tetrarch format`: makes the data directory of a node that joins later.

use std::path::PathBuf;

use tetrarch_wire::{NodeId, StoreId};

use crate::config;
use crate::error::Error;
use crate::mesh::authority::{Subject, trust_domain};
use crate::mesh::{Layout, context, founding, manifest, store};
use crate::output;

/// Formats the data directory of a node that joins a mesh after its founding.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Says that the node joins: founding nodes are formatted by `init`, and a founding node whose
    /// disk was lost joins anew, as another voter.
    #[arg(long, required = true)]
    join: bool,
    /// The node's configuration; its data directory must be empty or not exist yet.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The mesh directory with mesh.toml; else ./mesh.
    #[arg(long, env = "TETRARCH_MESH", value_name = "DIR")]
    mesh: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// If the configuration or the mesh directory cannot be used, or the data directory is not empty.
pub fn run(args: &Args) -> Result<(), Error> {
    let file = config::load(&args.config, &config::environment())?;
    let genesis = manifest::load(&Layout::new(&context::root(args.mesh.as_deref())?))?;
    let trust = trust_domain(genesis.cluster());
    let node = NodeId::from_spiffe_uri(&Subject::Node(&file.node.name).uri(&trust));
    let id = StoreId::from_bytes(founding::random()?);
    store::format(&file.node.data_dir, &genesis, &file.node.name, node, id)?;
    output::say(format_args!(
        "formatted {} as store {id} of node {}",
        file.node.data_dir.display(),
        file.node.name
    ));
    Ok(())
}
