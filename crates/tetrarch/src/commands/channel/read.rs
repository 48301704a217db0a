//! `tetrarch channel list` and `show`.

use serde::Serialize;

use super::with;
use crate::connect::MeshArgs;
use crate::error::Error;
use crate::show::{ChannelShown, ReplicaShown, RetentionShown};
use crate::{output, picture};

/// Lists the channels.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    mesh: MeshArgs,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Shows one channel and its replicas: what each node says of itself.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The channel.
    name: String,
    /// Asks this node alone, and shows what it knows.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    #[command(flatten)]
    mesh: MeshArgs,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Listed {
    channels: Vec<ListedChannel>,
}

#[derive(Debug, Serialize)]
struct ListedChannel {
    name: String,
    class: &'static str,
    replicas: usize,
    retention: RetentionShown,
    uid: String,
}

pub(super) fn list(args: &ListArgs) -> Result<(), Error> {
    with(&args.mesh, async |client| {
        let entries = client.admin().list_channels().await?.into_iter();
        let channels: Vec<_> = entries
            .map(|entry| ListedChannel {
                replicas: entry.genesis.voters().len(),
                class: entry.genesis.class.name(),
                retention: entry.retention.into(),
                uid: entry.uid.to_string(),
                name: entry.name,
            })
            .collect();
        if args.json {
            return output::json(&Listed { channels });
        }
        let rows = channels.into_iter().map(|channel| {
            vec![
                channel.name,
                channel.class.to_owned(),
                channel.replicas.to_string(),
                channel.retention.brief(),
            ]
        });
        output::table(&["CHANNEL", "CLASS", ">REPLICAS", "KEEPS"], rows)
    })
}

pub(super) fn show(args: &ShowArgs) -> Result<(), Error> {
    with(&args.mesh, async |client| {
        let status = match &args.node {
            Some(node) => {
                client
                    .admin()
                    .through(node)
                    .show_channel(&args.name)
                    .await?
            }
            None => picture::of_channel(client, &args.name).await?,
        };
        let shown = ChannelShown::from(status);
        if args.json {
            return output::json(&shown);
        }
        output::data(format_args!("keeps   {}", shown.retention.brief()))?;
        if let Some(halted) = &shown.halted {
            output::data(format_args!("halted  {halted}"))?;
        }
        if let Some(limbo) = &shown.limbo {
            output::data(format_args!("limbo   {limbo}"))?;
        }
        output::data("")?;
        let replicas = shown.replicas.clone();
        output::table(&ChannelShown::HEADINGS, [shown.row()])?;
        output::data("")?;
        output::table(
            &ReplicaShown::HEADINGS,
            replicas.into_iter().map(ReplicaShown::row),
        )
    })
}
