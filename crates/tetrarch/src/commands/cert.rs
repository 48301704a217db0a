//! `tetrarch cert`: adds a client or a node to a mesh directory, or renews a node's certificate.

use std::path::PathBuf;

use clap::Subcommand;

use crate::config::HostPort;
use crate::error::Error;
use crate::mesh::authority::Authority;
use crate::mesh::founding::{NodeSpec, check_name};
use crate::mesh::{Layout, client_dir, context, manifest, node_dir};
use crate::names::parse_name;
use crate::output;

/// Issues certificates with the authority of a mesh directory.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The mesh directory that holds ca.key; else ./mesh.
    #[arg(long, global = true, env = "TETRARCH_MESH", value_name = "DIR")]
    mesh: Option<PathBuf>,
    /// For how many days the certificate is valid.
    #[arg(long, global = true, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a client's directory, DIR/clients/NAME unless told otherwise.
    Client {
        /// The name in its certificate.
        #[arg(value_parser = parse_name)]
        name: String,
        /// Where to make it.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Makes the directory DIR/NAME of a further node, or renews the certificate of one that is
    /// there.
    Node {
        /// Its name.
        #[arg(value_parser = parse_node_name)]
        name: String,
        /// Where others dial it; for a further node.
        #[arg(long, value_name = "HOST:PORT", value_parser = HostPort::parse)]
        address: Option<HostPort>,
    },
}

/// Runs it.
///
/// # Errors
/// If the mesh directory cannot be used, or the certificate cannot be made.
pub fn run(args: &Args) -> Result<(), Error> {
    let layout = Layout::new(&context::root(args.mesh.as_deref())?);
    let genesis = manifest::load(&layout)?;
    let authority = Authority::load(&layout, genesis.cluster())?;
    match &args.command {
        Command::Client { name, out } => {
            let dir = out.clone().unwrap_or_else(|| layout.client(name));
            client_dir::create(&dir, name, &genesis, &authority, args.days)?;
            output::say(format_args!(
                "made {0}; use it with --mesh {0}",
                dir.display()
            ));
            Ok(())
        }
        Command::Node { name, address } => {
            node(&layout, &authority, name, address.as_ref(), args.days)
        }
    }
}

fn node(
    layout: &Layout,
    authority: &Authority,
    name: &str,
    address: Option<&HostPort>,
    days: u32,
) -> Result<(), Error> {
    let dir = layout.node(name);
    if dir.join("node.pem").exists() {
        node_dir::renew(&dir, name, authority, days)?;
        let dir = dir.display();
        output::say(format_args!(
            "renewed {dir}/node.pem; a running node takes it up at SIGHUP"
        ));
        return Ok(());
    }
    let Some(address) = address else {
        let why = format!(
            "{} is not there yet: a further node needs --address",
            dir.display()
        );
        return Err(Error::Invalid(why));
    };
    let spec = NodeSpec {
        name: name.to_owned(),
        address: address.clone(),
    };
    node_dir::create(&dir, &spec, authority, days)?;
    output::say(format_args!(
        "made {0}; format its data directory with `tetrarch format --join --config {0}/node.toml`",
        dir.display()
    ));
    Ok(())
}

fn parse_node_name(name: &str) -> Result<String, String> {
    check_name(name).map(|()| name.to_owned())
}
