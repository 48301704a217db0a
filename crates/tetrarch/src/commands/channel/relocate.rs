//! `tetrarch channel move`: a channel goes to other nodes.

use std::time::{Duration, Instant};

use tetrarch_client::Client;
use tetrarch_wire::frame::{ChannelStatus, Moving, Placement};

use super::with;
use crate::connect::MeshArgs;
use crate::error::Error;
use crate::output;

/// How often it is looked how far the move is.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Moves a channel to these nodes and no others, while it goes on.
///
/// Nodes that come receive the log, as far as retention has kept it, before they vote; those that go hold it
/// until then.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The channel.
    name: String,
    /// The nodes that are to hold it from now on, all of them.
    #[arg(long, value_name = "NODE", value_delimiter = ',', required = true)]
    to: Vec<String>,
    /// Do not wait until it is done.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    mesh: MeshArgs,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    with(&args.mesh, async |client| {
        let begun = Instant::now();
        let ordered = client.admin().move_channel(&args.name, &args.to).await?;
        if args.no_wait {
            let (name, to) = (&args.name, args.to.join(", "));
            output::say(format_args!("channel {name} moves to {to}"));
            return Ok(());
        }
        wait(client, &args.name, ordered).await?;
        let (name, to, took) = (&args.name, args.to.join(", "), begun.elapsed());
        output::say(format_args!("channel {name} is on {to} ({took:.1?})"));
        Ok(())
    })
}

/// Until the catalog knows that it is done, saying what it waits for when that changes.
async fn wait(client: &Client, name: &str, ordered: Placement) -> Result<(), Error> {
    let mut said = String::new();
    loop {
        let channel = client.admin().show_channel(name).await?;
        if channel.placement.is_past(ordered) {
            return carried_out(name, channel.placement, ordered);
        }
        let waits = waits_for(&channel);
        if waits != said {
            output::say(format_args!("{waits}"));
            said = waits;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn carried_out(name: &str, found: Placement, ordered: Placement) -> Result<(), Error> {
    if found.version == ordered.version {
        return Ok(());
    }
    Err(Error::Overtaken(name.to_owned()))
}

fn waits_for(channel: &ChannelStatus) -> String {
    let on = |wanted: Moving| {
        let moving = channel.replicas.iter();
        let moving = moving.filter(|replica| replica.moving == Some(wanted));
        let names: Vec<&str> = moving.map(|replica| replica.node.as_str()).collect();
        names.join(", ")
    };
    match (on(Moving::In), on(Moving::Out)) {
        (come, _) if !come.is_empty() => format!("{come}: receiving the log"),
        (_, go) if !go.is_empty() => format!("{go}: leaving"),
        _ => "moving".to_owned(),
    }
}
