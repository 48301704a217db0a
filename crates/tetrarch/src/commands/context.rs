//! `tetrarch context`: which mesh the other commands would talk to, and as whom.

use std::path::PathBuf;

use serde::Serialize;
use time::OffsetDateTime;

use crate::error::Error;
use crate::mesh::certificate::Certificate;
use crate::mesh::context::{self, Context};
use crate::output;

/// Shows which mesh the other commands would talk to, as whom, and for how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A mesh directory or a client's directory; else ./mesh.
    #[arg(long, env = "TETRARCH_MESH", value_name = "DIR")]
    mesh: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    directory: String,
    cluster: String,
    client: String,
    expires_in_days: i64,
    nodes: Vec<ShownNode>,
}

#[derive(Debug, Serialize)]
struct ShownNode {
    name: String,
    address: String,
}

/// Runs it.
///
/// # Errors
/// If there is no context, or it cannot be used.
pub fn run(args: &Args) -> Result<(), Error> {
    let directory = context::find(args.mesh.as_deref())?;
    let context = Context::load(&directory)?;
    let certificate = Certificate::load(&context.cert)?;
    let shown = Shown {
        directory: directory.display().to_string(),
        cluster: context.cluster,
        expires_in_days: certificate.days_left(OffsetDateTime::now_utc()),
        client: certificate.uri,
        nodes: context
            .nodes
            .into_iter()
            .map(|(name, address)| ShownNode { name, address })
            .collect(),
    };
    if args.json {
        return output::json(&shown);
    }
    print(shown)
}

fn print(shown: Shown) -> Result<(), Error> {
    output::data(format_args!("directory  {}", shown.directory))?;
    output::data(format_args!("cluster    {}", shown.cluster))?;
    output::data(format_args!(
        "client     {} ({} days left)",
        shown.client, shown.expires_in_days
    ))?;
    output::data("")?;
    let rows = shown
        .nodes
        .into_iter()
        .map(|node| vec![node.name, node.address]);
    output::table(&["NODE", "ADDRESS"], rows)
}
