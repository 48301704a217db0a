//! A replica is exchanged while events are published: what that does to the latency of publishing,
//! and whether every acknowledged event is still there.
//!
//! Each course has a channel of its own with something in it, on three of four nodes. It runs for a
//! while as it is, then one of the three is exchanged for the fourth. `load` publishes, `record` keeps
//! what became of each operation, `read_back` looks for the events afterwards, `report` compares.

mod load;
mod read_back;
mod record;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tetrarch_client::Client;
use tetrarch_wire::frame::{ChannelStatus, Placement};
use tokio::time::{sleep, timeout};

use self::load::{Load, Publishers};
use self::record::{Record, Spans};
pub use self::report::MoveReport;
use super::channels;
use super::plan::Site;
use super::stand::Stand;
use crate::error::Error;
use crate::{output, picture};

/// Nodes: those of the channel, and one to go to.
const NODES: usize = 4;
/// Nodes of the channel.
const REPLICAS: usize = 3;
/// How long a move, or reading everything back, may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often it is looked whether a move is complete.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What is to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovePlan {
    /// Bytes of each payload.
    pub size: usize,
    /// Events a second of the producer with a steady rate.
    pub rate: u32,
    /// Events on their way, of the producers without one.
    pub in_flight: usize,
    /// Events that these hand over at once.
    pub batch: usize,
    /// Bytes of payload in the channel before anything counts.
    pub preload: u64,
    /// For how long the load runs before anything counts.
    pub warmup: Duration,
    /// For how long it counts before the move.
    pub measured: Duration,
}

/// Which of the three replicas is exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    Follower,
    Leader,
}

/// Measures each load and each kind of move in turn, telling `seen` of each result as it comes.
///
/// # Errors
/// If the mesh cannot be started, a node ends, or a move does not come to its end.
pub async fn run(
    plan: &MovePlan,
    mut seen: impl FnMut(&MoveReport) -> Result<(), Error>,
) -> Result<Vec<MoveReport>, Error> {
    let mut stand = Stand::open(&Site::Own(NODES)).await?;
    let mut reports = Vec::new();
    for load in [Load::steady(plan), Load::saturating(plan)] {
        for goes in [Goes::Follower, Goes::Leader] {
            let client = stand.client.clone();
            let nodes = stand.nodes().to_vec();
            let course = Box::pin(measure(&client, &nodes, plan, load, goes));
            let report = stand.during(course).await?;
            seen(&report)?;
            reports.push(report);
        }
    }
    stand.close().await?;
    Ok(reports)
}

async fn measure(
    client: &Client,
    nodes: &[String],
    plan: &MovePlan,
    load: Load,
    goes: Goes,
) -> Result<MoveReport, Error> {
    let names = channels::create(client, "move", 1, REPLICAS).await?;
    let channel = &names[0];
    let record = Arc::new(Record::default());
    let mut publishers = Publishers::open(client, channel, load, &record).await?;
    output::say(format_args!("{load}: filling the channel"));
    publishers.preload(plan.preload).await?;
    publishers.start();
    sleep(plan.warmup).await;
    let begun = Instant::now();
    sleep(plan.measured).await;
    let route = route(&picture::of_channel(client, channel).await?, nodes, goes)?;
    output::say(format_args!("{load}: {route}"));
    let ordered = Instant::now();
    let placement = client.admin().move_channel(channel, &route.wanted).await?;
    until_past(client, channel, placement).await?;
    let spans = Spans {
        begun,
        ordered,
        moved: Instant::now(),
    };
    publishers.stop().await?;
    let found = limited(
        "read everything back",
        read_back::run(client, channel, &record),
    )
    .await?;
    channels::delete(client, &names).await?;
    MoveReport::new(plan, load, &route, &record, spans, found)
}

/// A move of one replica.
#[derive(Debug)]
struct Route {
    goes: Goes,
    from: String,
    to: String,
    wanted: Vec<String>,
}

fn route(channel: &ChannelStatus, nodes: &[String], goes: Goes) -> Result<Route, Error> {
    let holders = || channel.replicas.iter().map(|replica| &replica.node);
    let leads = |node: &&String| channel.leader.as_ref() == Some(*node);
    let from = match goes {
        Goes::Leader => holders().find(leads),
        Goes::Follower => holders().find(|node| !leads(node)),
    };
    let to = nodes
        .iter()
        .find(|node| holders().all(|held| held != *node));
    let (Some(from), Some(to)) = (from, to) else {
        let why = "the channel has no leader, or there is no node to move it to".to_owned();
        return Err(Error::Invalid(why));
    };
    let stays = holders().filter(|node| *node != from);
    Ok(Route {
        goes,
        from: from.clone(),
        to: to.clone(),
        wanted: stays.chain([to]).cloned().collect(),
    })
}

async fn until_past(client: &Client, channel: &str, ordered: Placement) -> Result<(), Error> {
    limited("the move is complete", async {
        loop {
            let found = client.admin().show_channel(channel).await?;
            if found.placement.is_past(ordered) {
                return Ok(());
            }
            sleep(LOOK_AGAIN).await;
        }
    })
    .await
}

async fn limited<T>(what: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let limit = PATIENCE;
    timeout(limit, work).await.unwrap_or_else(|_| {
        let what = what.to_owned();
        Err(Error::TooLate { what, limit })
    })
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = match self.goes {
            Goes::Follower => "a follower",
            Goes::Leader => "the leader",
        };
        write!(f, "{who} goes, {} for {}", self.to, self.from)
    }
}
