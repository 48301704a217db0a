//! `tetrarch channel create`.

use serde::Serialize;
use tetrarch_client::Client;
use tetrarch_wire::frame::{CreateChannel, LabelFilter};
use tetrarch_wire::{ChannelClass, Retention};

use super::with;
use crate::connect::MeshArgs;
use crate::error::Error;
use crate::output;
use crate::show::RetentionArgs;

/// On how many nodes a channel is unless told otherwise, if there are so many.
const REPLICAS: usize = 3;

/// Creates a channel.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its name: letters, digits, '.', '_', '-' and '/'.
    name: String,
    /// On how many nodes; three unless told otherwise, or all if there are fewer.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=9))]
    replicas: Option<u8>,
    /// Only nodes with this label may hold it; once for each label.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_label)]
    require: Vec<(String, String)>,
    #[command(flatten)]
    retention: RetentionArgs,
    #[command(flatten)]
    mesh: MeshArgs,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Created {
    name: String,
    class: &'static str,
    uid: String,
    replicas: usize,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    with(&args.mesh, async |client| {
        let channel = CreateChannel {
            name: args.name.clone(),
            class: ChannelClass::Quorum,
            replicas: args.replicas.unwrap_or_else(|| replicas(client)),
            filter: LabelFilter {
                require: args.require.clone(),
            },
            retention: args.retention.applied_to(Retention::FOREVER),
        };
        let entry = client.admin().create_channel(channel).await?;
        let created = Created {
            replicas: entry.genesis.voters().len(),
            class: entry.genesis.class.name(),
            uid: entry.uid.to_string(),
            name: entry.name,
        };
        if args.json {
            return output::json(&created);
        }
        output::say(format_args!(
            "created channel {} on {} nodes",
            created.name, created.replicas
        ));
        Ok(())
    })
}

fn replicas(client: &Client) -> u8 {
    let count = client.nodes().len().clamp(1, REPLICAS);
    u8::try_from(count).unwrap_or(1)
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
        .ok_or_else(|| format!("a label is given as name=value, not `{text}`"))?;
    Ok((name.to_owned(), value.to_owned()))
}
