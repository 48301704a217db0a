//! `tetrarch channel create`.

use serde::Serialize;
use tetrarch_client::Client;
use tetrarch_wire::frame::{CreateChannel, LabelFilter};
use tetrarch_wire::{ChannelClass, MinCopies, Retention};

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
    /// What it promises: `quorum`, that what is acknowledged is on a majority of its nodes and never lost;
    /// or `available`, that it can be written to on every side of a partition, and that what was
    /// acknowledged on either is in it after the heal.
    #[arg(long, value_enum, default_value_t = Class::Quorum)]
    class: Class,
    /// Of a channel of the class available: on how many nodes an event is durable before it is acknowledged,
    /// as long as so many can be reached.
    #[arg(long, value_name = "COUNT", value_parser = parse_copies, default_value = "1")]
    min_copies: MinCopies,
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
            class: args.promise()?,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Class {
    Quorum,
    Available,
}

impl Args {
    fn promise(&self) -> Result<ChannelClass, Error> {
        match self.class {
            Class::Available => Ok(ChannelClass::Available(self.min_copies)),
            Class::Quorum if self.min_copies == MinCopies::ONE => Ok(ChannelClass::Quorum),
            Class::Quorum => Err(Error::Invalid(
                "--min-copies is for channels of the class available: an event of the class quorum is on a \
                 majority of the nodes"
                    .to_owned(),
            )),
        }
    }
}

fn parse_copies(text: &str) -> Result<MinCopies, String> {
    let copies: u8 = text
        .parse()
        .map_err(|_| format!("`{text}` is no number of copies"))?;
    MinCopies::new(copies).map_err(|error| error.to_string())
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
