//! `tetrarch sub`: reads events.

use std::io::Write;
use std::time::Duration;

use tetrarch_client::{Client, Delivered, EventBatch, FetchFrom, SubscribeOptions, Subscription};
use tetrarch_wire::Seq;

use crate::connect::MeshArgs;
use crate::error::Error;
use crate::show::EventShown;
use crate::{output, runtime};

/// How often an end that consists of nothing but control batches is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Reads the events of a channel, in order and without gaps, from any node that holds it. Ends at
/// the last event that was acknowledged before it began, unless told otherwise.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The channel.
    channel: String,
    /// Where to begin: `start`, `now` (which follows), or a seq.
    #[arg(long, default_value = "start", value_parser = parse_from)]
    from: FetchFrom,
    /// Ends after so many events, however long they take.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Goes on as events come in.
    #[arg(long)]
    follow: bool,
    /// Reads from this node; else from any.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Writes each event as `pub --framed` reads it, instead of as a line.
    #[arg(long, conflicts_with = "json")]
    framed: bool,
    #[command(flatten)]
    mesh: MeshArgs,
    /// Prints a JSON object for each event.
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
/// If the channel cannot be read, or standard output cannot be written to.
pub fn run(args: &Args) -> Result<(), Error> {
    runtime::run(async {
        let client = args.mesh.connect().await?;
        let end = end(&client, args).await?;
        let options = SubscribeOptions {
            node: args.node.clone(),
            give_up_after: args.mesh.limit(),
            ..SubscribeOptions::default()
        };
        let mut events = client.subscribe(&args.channel, args.from, options);
        let mut left = args.count.unwrap_or(u64::MAX);
        while left > 0 {
            let Some(batch) = next(&mut events, end).await? else {
                break;
            };
            left -= print(args, &batch, left, end)?;
        }
        Ok(())
    })
}

/// The last seq to read; `None` if there is none.
async fn end(client: &Client, args: &Args) -> Result<Option<Seq>, Error> {
    if args.follow || args.count.is_some() || args.from == FetchFrom::Now {
        return Ok(None);
    }
    Ok(Some(client.read_index(&args.channel).await?.commit))
}

/// The next batch; `None` once the end is reached. Seqs at the end may belong to control batches,
/// which are never delivered.
async fn next(events: &mut Subscription, end: Option<Seq>) -> Result<Option<EventBatch>, Error> {
    let Some(end) = end else {
        return Ok(Some(events.next_batch().await?));
    };
    loop {
        if end == Seq::ZERO || events.next_seq().is_some_and(|next| next > end) {
            return Ok(None);
        }
        if let Ok(batch) = tokio::time::timeout(LOOK_AGAIN, events.next_batch()).await {
            return Ok(Some(batch?));
        }
    }
}

/// Prints what is wanted of a batch; gives how many events that were.
fn print(args: &Args, batch: &EventBatch, most: u64, end: Option<Seq>) -> Result<u64, Error> {
    let mut text = Vec::new();
    let mut count = 0;
    let wanted = |event: &Delivered| end.is_none_or(|end| event.seq <= end);
    for event in batch.iter().take_while(wanted) {
        if count == most {
            break;
        }
        write(args, &event, &mut text).map_err(Error::Output)?;
        count += 1;
    }
    output::raw(&text)?;
    Ok(count)
}

fn write(args: &Args, event: &Delivered, out: &mut Vec<u8>) -> std::io::Result<()> {
    let payload = &event.event.payload;
    if args.json {
        serde_json::to_writer(&mut *out, &EventShown::new(&args.channel, event))?;
        return writeln!(out);
    }
    if args.framed {
        // An event is at most a mebibyte.
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        out.write_all(&length.to_le_bytes())?;
        return out.write_all(payload);
    }
    out.write_all(payload)?;
    writeln!(out)
}

fn parse_from(text: &str) -> Result<FetchFrom, String> {
    match text {
        "start" => Ok(FetchFrom::Start),
        "now" => Ok(FetchFrom::Now),
        seq => match seq.parse() {
            Ok(seq) if seq > 0 => Ok(FetchFrom::Seq(Seq::new(seq))),
            _ => Err(format!(
                "must be `start`, `now` or a seq from 1, not `{text}`"
            )),
        },
    }
}
