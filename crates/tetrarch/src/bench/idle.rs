//! Channels on which nothing happens: what they cost, and whether anything moves.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use super::channels;
use super::plan::Site;
use super::report::{Consumed, NodeUse, float, rounded};
use super::stand::Stand;
use super::usage::Usage;
use crate::error::Error;
use crate::output;

/// For how long the mesh is left alone before anything counts.
const SETTLE: Duration = Duration::from_secs(3);

/// What so many idle channels cost. The names of the JSON fields are part of the interface.
#[derive(Clone, Debug, Serialize)]
pub struct IdleReport {
    channels: usize,
    seconds: f64,
    /// Changes of a role while it counted, over all nodes and channels.
    pub role_changes: u64,
    nodes: Vec<IdleNode>,
}

#[derive(Clone, Debug, Serialize)]
struct IdleNode {
    #[serde(flatten)]
    consumed: NodeUse,
    /// Part of one core, in percent.
    cpu_percent: Option<f64>,
}

/// Leaves `count` channels alone for a while, on a mesh of `nodes` nodes.
///
/// # Errors
/// If the mesh cannot be started, or a node ends.
pub async fn run(nodes: usize, count: usize, measured: Duration) -> Result<IdleReport, Error> {
    let mut stand = Stand::open(&Site::Own(nodes)).await?;
    let (client, replicas) = (stand.client.clone(), stand.replicas());
    output::say(format_args!("making {count} channels"));
    stand
        .during(channels::create(&client, "idle", count, replicas))
        .await?;
    stand.during(pause(SETTLE)).await?;
    output::say(format_args!("leaving them alone for {measured:?}"));
    let ours = Usage::of(std::process::id())?;
    let (changes, before) = (stand.role_changes()?, stand.usage()?);
    stand.during(pause(measured)).await?;
    let (after, changed) = (stand.usage()?, stand.role_changes()?);
    stand.close().await?;
    let consumed = Consumed {
        nodes_before: before,
        nodes_after: after,
        client_before: ours,
        client_after: ours,
    };
    let seconds = measured.as_secs_f64();
    let node = |consumed: NodeUse| IdleNode {
        cpu_percent: consumed
            .cpu_seconds
            .map(|cpu| rounded(cpu / seconds * 100.0, 2)),
        consumed,
    };
    Ok(IdleReport {
        channels: count,
        seconds,
        role_changes: changed.saturating_sub(changes),
        nodes: consumed.nodes().into_iter().map(node).collect(),
    })
}

async fn pause(duration: Duration) -> Result<(), Error> {
    sleep(duration).await;
    Ok(())
}

impl fmt::Display for IdleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} idle channels for {:.0} s: {} role changes",
            self.channels, self.seconds, self.role_changes
        )?;
        for node in &self.nodes {
            let megabytes = float(node.consumed.rss_bytes.unwrap_or_default()) / 1e6;
            let percent = node.cpu_percent.unwrap_or_default();
            let name = &node.consumed.name;
            write!(
                f,
                "\n  {name}  {percent:.2} % of one core, {megabytes:.0} MB"
            )?;
        }
        Ok(())
    }
}
