//! `tetrarch channel`: what an operator does with channels.

mod create;
mod read;
mod relocate;

use clap::Subcommand;
use tetrarch_client::Client;

use crate::connect::MeshArgs;
use crate::error::Error;
use crate::show::RetentionArgs;
use crate::{output, runtime};

/// Creates, lists, shows, alters, moves and deletes channels, and moves their leaders.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Args),
    List(read::ListArgs),
    Show(read::ShowArgs),
    /// Changes how long a channel keeps events; what is not named stays.
    Alter {
        /// The channel.
        name: String,
        #[command(flatten)]
        retention: RetentionArgs,
        #[command(flatten)]
        mesh: MeshArgs,
    },
    /// Deletes a channel with all its events.
    Delete {
        /// The channel.
        name: String,
        #[command(flatten)]
        mesh: MeshArgs,
    },
    Move(relocate::Args),
    /// Makes a channel's leader hand over to another node.
    Relinquish {
        /// The channel.
        name: String,
        /// To this node; else to the one that is furthest.
        #[arg(long, value_name = "NODE")]
        to: Option<String>,
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
        Command::Create(args) => create::run(args),
        Command::List(args) => read::list(args),
        Command::Show(args) => read::show(args),
        Command::Alter {
            name,
            retention,
            mesh,
        } => alter(name, retention, mesh),
        Command::Delete { name, mesh } => with(mesh, async |client| {
            client.admin().delete_channel(name).await?;
            output::say(format_args!("deleted channel {name}"));
            Ok(())
        }),
        Command::Move(args) => relocate::run(args),
        Command::Relinquish { name, to, mesh } => with(mesh, async |client| {
            client.admin().relinquish(name, to.as_deref()).await?;
            output::say(format_args!("channel {name} was handed over"));
            Ok(())
        }),
    }
}

fn alter(name: &str, retention: &RetentionArgs, mesh: &MeshArgs) -> Result<(), Error> {
    if retention.is_empty() {
        let why = "nothing to change: name --max-age, --max-bytes or --max-events".to_owned();
        return Err(Error::Invalid(why));
    }
    with(mesh, async |client| {
        let admin = client.admin();
        let before = admin.show_channel(name).await?.retention;
        admin
            .alter_channel(name, retention.applied_to(before))
            .await?;
        output::say(format_args!("altered channel {name}"));
        Ok(())
    })
}

/// Connects, and does something with the client.
fn with(
    mesh: &MeshArgs,
    work: impl AsyncFnOnce(&Client) -> Result<(), Error>,
) -> Result<(), Error> {
    runtime::run(async {
        let client = mesh.connect().await?;
        work(&client).await
    })
}
