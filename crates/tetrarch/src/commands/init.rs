//! `tetrarch init`: founds a mesh.

use std::path::{Path, PathBuf};

use tetrarch_replica::catalog::Genesis;

use crate::error::Error;
use crate::mesh::authority::Authority;
use crate::mesh::founding::{self, NodeSpec};
use crate::mesh::{Layout, Staging, client_dir, files, manifest, node_dir, store};
use crate::names::parse_name;
use crate::output;

/// Founds a mesh: a private authority, and for each node its certificate, a commented
/// configuration and a formatted data directory; and a client to begin with.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where; the directory must be empty or not exist yet.
    dir: PathBuf,
    /// A founding node and the address others dial; once for each. Three or five make a mesh that
    /// survives the loss of one or two.
    #[arg(long = "node", value_name = "NAME=HOST:PORT", value_parser = NodeSpec::parse, required = true)]
    nodes: Vec<NodeSpec>,
    /// The name in the first client's certificate.
    #[arg(long, value_name = "NAME", default_value = "admin", value_parser = parse_name)]
    client: String,
    /// For how many days the certificates of nodes and client are valid.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// Runs it.
///
/// # Errors
/// If anything could not be made; nothing is left behind then.
pub fn run(args: &Args) -> Result<(), Error> {
    found(&args.dir, &args.nodes, &args.client, args.days)?;
    let dir = args.dir.display();
    output::say(format_args!(
        "founded a mesh of {} in {dir}; to run it:",
        counted(args.nodes.len(), "node")
    ));
    for node in &args.nodes {
        output::say(format_args!(
            "  tetrarch serve --config {dir}/{}/node.toml",
            node.name
        ));
    }
    output::say(format_args!(
        "keep {dir}/ca.key safe: whoever has it can join the mesh"
    ));
    Ok(())
}

/// Founds a mesh in a directory that does not exist yet, whole or not at all.
///
/// # Errors
/// If anything could not be made; nothing is left behind then.
pub fn found(dir: &Path, nodes: &[NodeSpec], client: &str, days: u32) -> Result<Genesis, Error> {
    let genesis = founding::found(nodes)?;
    let authority = Authority::found(genesis.cluster())?;
    let staging = Staging::begin(dir)?;
    let layout = Layout::new(staging.path());
    authority.save(&layout)?;
    manifest::save(&layout, &genesis)?;
    for (spec, node) in nodes.iter().zip(genesis.nodes()) {
        let dir = layout.node(&spec.name);
        files::make_dir(&dir)?;
        node_dir::write(&dir, spec, &authority, days)?;
        store::format(
            &dir.join("data"),
            &genesis,
            &node.name,
            node.node,
            node.store,
        )?;
    }
    let client_path = layout.first_client();
    files::make_dir(&client_path)?;
    client_dir::write(&client_path, client, &genesis, &authority, days)?;
    staging.finish()?;
    Ok(genesis)
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
