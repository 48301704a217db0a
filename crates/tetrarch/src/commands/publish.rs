//! `tetrarch pub`: publishes what comes in.

use std::path::PathBuf;

use serde::Serialize;
use tetrarch_client::{BatchAck, BatchTicket};
use tokio::sync::mpsc;

use crate::connect::MeshArgs;
use crate::error::Error;
use crate::feed::{self, Framing};
use crate::{output, runtime};

/// Calls of the producer that may be unsettled before more input is read.
const UNSETTLED: usize = 1_024;

/// Publishes events exactly once and in order: lines of standard input or of a file, or framed
/// binary. Ends when all are acknowledged: durable on a majority of the channel's nodes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The channel.
    channel: String,
    /// Reads this file instead of standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Each event is preceded by its length: four bytes, the least significant first.
    #[arg(long)]
    framed: bool,
    #[command(flatten)]
    mesh: MeshArgs,
    /// Prints a JSON object for each acknowledged batch.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Acknowledged {
    first_seq: u64,
    last_seq: u64,
    epoch: u64,
    copies: u8,
}

/// Runs it.
///
/// # Errors
/// If the input cannot be read, or events were not acknowledged.
pub fn run(args: &Args) -> Result<(), Error> {
    let framing = if args.framed {
        Framing::Length
    } else {
        Framing::Lines
    };
    runtime::run(async {
        let client = args.mesh.connect().await?;
        let producer = client.producer(&args.channel).await?;
        let mut chunks = feed::read(args.file.as_deref(), framing)?;
        let (tickets, unsettled) = mpsc::channel(UNSETTLED);
        let send = async {
            while let Some(events) = chunks.recv().await.transpose()? {
                let ticket = producer.send_batch(&events).await?;
                if tickets.send(ticket).await.is_err() {
                    break;
                }
            }
            drop(tickets);
            Ok::<(), Error>(())
        };
        let (sent, acknowledged) = tokio::join!(send, settle(unsettled, args.json));
        let count = acknowledged?;
        sent?;
        producer.close().await?;
        if !args.json {
            output::say(format_args!("acknowledged {count} events"));
        }
        Ok(())
    })
}

/// Waits for all acknowledgements, in order; gives the number of events.
async fn settle(mut unsettled: mpsc::Receiver<BatchTicket>, json: bool) -> Result<u64, Error> {
    let mut count = 0;
    while let Some(ticket) = unsettled.recv().await {
        let ack = ticket.acked().await?;
        count += ack.count();
        if json {
            print(&ack)?;
        }
    }
    Ok(count)
}

fn print(ack: &BatchAck) -> Result<(), Error> {
    ack.runs.iter().try_for_each(|run| {
        output::json(&Acknowledged {
            first_seq: run.first.get(),
            last_seq: run.first.plus(u64::from(run.count)).previous().get(),
            epoch: ack.epoch.n,
            copies: ack.copies,
        })
    })
}
