//! `tetrarch status`: nodes and channels.

use serde::Serialize;

use crate::connect::MeshArgs;
use crate::error::Error;
use crate::show::{ChannelShown, NodeShown};
use crate::{output, picture, runtime};

/// Shows the nodes and channels of a mesh: what each node says of itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    mesh: MeshArgs,
    /// Asks this node alone, and shows what it knows.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    asked: String,
    nodes: Vec<NodeShown>,
    channels: Vec<ChannelShown>,
}

/// Runs it.
///
/// # Errors
/// If no node answers in time.
pub fn run(args: &Args) -> Result<(), Error> {
    runtime::run(async {
        let client = args.mesh.connect().await?;
        let status = match &args.node {
            Some(node) => client.admin().through(node).status().await?,
            None => picture::of_all(&client).await?,
        };
        let shown = Shown {
            asked: status.asked,
            nodes: status.nodes.into_iter().map(Into::into).collect(),
            channels: status.channels.into_iter().map(Into::into).collect(),
        };
        if args.json {
            output::json(&shown)
        } else {
            print(shown)
        }
    })
}

fn print(shown: Shown) -> Result<(), Error> {
    output::table(
        &NodeShown::HEADINGS,
        shown.nodes.into_iter().map(NodeShown::row),
    )?;
    output::data("")?;
    output::table(
        &ChannelShown::HEADINGS,
        shown.channels.into_iter().map(ChannelShown::row),
    )
}
