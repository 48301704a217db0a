//! `tetrarch node`: what an operator does with nodes.

use std::time::{Duration, Instant};

use clap::Subcommand;
use tetrarch_client::Client;

use crate::connect::MeshArgs;
use crate::error::Error;
use crate::{output, runtime};

/// How often it is looked what is left on a node.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// After so long without a channel that left, it is said what may be missing.
const PATIENCE: Duration = Duration::from_secs(15);

/// Empties nodes of their channels, and lets them hold some again.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Moves every channel away from a node, and gives it no new one.
    ///
    /// The channels go on meanwhile. Where no other node may hold a channel it stays until there is one.
    Drain {
        /// The node.
        node: String,
        /// Do not wait until it is empty.
        #[arg(long)]
        no_wait: bool,
        #[command(flatten)]
        mesh: MeshArgs,
    },
    /// Lets a node hold channels again; those that left do not come back by themselves.
    Undrain {
        /// The node.
        node: String,
        #[command(flatten)]
        mesh: MeshArgs,
    },
}

/// Runs it.
///
/// # Errors
/// If the mesh refuses, or no node answers in time.
pub fn run(args: &Args) -> Result<(), Error> {
    match &args.command {
        Command::Drain {
            node,
            no_wait,
            mesh,
        } => runtime::run(async {
            let client = mesh.connect().await?;
            let begun = Instant::now();
            client.admin().drain(node, true).await?;
            if *no_wait {
                output::say(format_args!("node {node} is being drained"));
                return Ok(());
            }
            wait_until_empty(&client, node).await?;
            let took = begun.elapsed();
            output::say(format_args!("node {node} holds no channel ({took:.1?})"));
            Ok(())
        }),
        Command::Undrain { node, mesh } => runtime::run(async {
            let client = mesh.connect().await?;
            client.admin().drain(node, false).await?;
            output::say(format_args!("node {node} may hold channels again"));
            Ok(())
        }),
    }
}

async fn wait_until_empty(client: &Client, node: &str) -> Result<(), Error> {
    let (mut before, mut since) = (None, Instant::now());
    loop {
        let left = held_by(client, node).await?;
        if left.is_empty() {
            return Ok(());
        }
        if before != Some(left.len()) {
            output::say(format_args!("left on {node}: {}", shortened(&left)));
            (before, since) = (Some(left.len()), Instant::now());
        } else if since.elapsed() >= PATIENCE {
            output::say(format_args!(
                "nothing leaves {node}: is there another node that may hold {}, and has room?",
                left[0]
            ));
            since = Instant::now();
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The channels that the catalog has on a node.
async fn held_by(client: &Client, node: &str) -> Result<Vec<String>, Error> {
    let status = client.admin().status().await?;
    let channels = status.channels.into_iter();
    let held = channels.filter(|channel| channel.replicas.iter().any(|one| one.node == node));
    Ok(held.map(|channel| channel.name).collect())
}

fn shortened(names: &[String]) -> String {
    const MOST: usize = 5;
    match names.get(MOST..) {
        None | Some([]) => names.join(", "),
        Some(rest) => format!("{} and {} more", names[..MOST].join(", "), rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_a_few_are_shown() {
        let names = |count: usize| -> Vec<String> { (0..count).map(|n| n.to_string()).collect() };
        assert_eq!(shortened(&names(2)), "0, 1");
        assert_eq!(shortened(&names(5)), "0, 1, 2, 3, 4");
        assert_eq!(shortened(&names(7)), "0, 1, 2, 3, 4 and 2 more");
    }
}
