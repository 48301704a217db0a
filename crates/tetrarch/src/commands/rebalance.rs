//! `tetrarch rebalance`: leaders are spread evenly over the nodes.

use serde::Serialize;
use tetrarch_client::Client;

use crate::balance::{self, Handover, Plan};
use crate::connect::MeshArgs;
use crate::error::Error;
use crate::{output, picture, runtime};

/// Spreads the leaders of all channels evenly over the nodes; without --apply it only shows how.
///
/// Channels are handed over one after the other; the publishers of each wait for some milliseconds
/// meanwhile. Who holds a channel stays as it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Carries it out.
    #[arg(long)]
    apply: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    mesh: MeshArgs,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    handovers: &'a [Handover],
    applied: bool,
}

/// Runs it.
///
/// # Errors
/// If no node answers in time, or a leader does not hand over; those that did before stay where they are.
pub fn run(args: &Args) -> Result<(), Error> {
    runtime::run(async {
        let client = args.mesh.connect().await?;
        let status = picture::of_all(&client).await?;
        let plan = balance::plan(&status.nodes, &status.channels);
        if args.json {
            output::json(&Shown {
                handovers: &plan.handovers,
                applied: args.apply,
            })?;
        } else {
            print(&plan)?;
        }
        if args.apply {
            return carry_out(&client, &plan.handovers).await;
        }
        if !plan.handovers.is_empty() {
            output::say("nothing was changed; --apply carries it out");
        }
        Ok(())
    })
}

fn print(plan: &Plan) -> Result<(), Error> {
    if plan.handovers.is_empty() {
        output::say("the leaders are as even as they can be");
        return Ok(());
    }
    let rows = plan.handovers.iter();
    let rows = rows.map(|one| vec![one.channel.clone(), one.from.clone(), one.to.clone()]);
    output::table(&["CHANNEL", "FROM", "TO"], rows)?;
    let leads = plan.leads.iter();
    let leads: Vec<String> = leads
        .map(|(node, leads)| format!("{node} {leads}"))
        .collect();
    output::say(format_args!(
        "channels led afterwards: {}",
        leads.join(", ")
    ));
    Ok(())
}

async fn carry_out(client: &Client, handovers: &[Handover]) -> Result<(), Error> {
    for (done, handover) in handovers.iter().enumerate() {
        let Handover { channel, to, .. } = handover;
        let handed_over = client.admin().relinquish(channel, Some(to)).await;
        handed_over.inspect_err(|_| {
            let all = handovers.len();
            output::say(format_args!(
                "{done} of {all} were handed over; {channel} was not"
            ));
        })?;
    }
    if !handovers.is_empty() {
        output::say(format_args!("handed over: {}", handovers.len()));
    }
    Ok(())
}
