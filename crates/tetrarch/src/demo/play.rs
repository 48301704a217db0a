//! The course of the demonstration: three nodes, a channel, a publisher, and a leader that dies.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tetrarch_client::Client;
use tetrarch_wire::frame::{CreateChannel, LabelFilter};
use tetrarch_wire::{ChannelClass, Retention};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use super::input::Input;
use super::ledger::Ledger;
use super::outcome::Outcome;
use super::publish::{Publisher, Pulse};
use super::read_back::{Promise, audit_all};
use super::roles;
use super::stage::{Stage, millis};
use crate::error::Error;
use crate::local::{Home, LocalMesh};

/// How many nodes play.
const NODES: usize = 3;
/// The channel.
const CHANNEL: &str = "rides";
/// How long the mesh may take to come up.
const START: Duration = Duration::from_secs(20);
/// How long it may take to find another leader.
const FAILOVER: Duration = Duration::from_secs(30);
/// For how long the others go on without the dead node before it is started again.
const ABSENCE: Duration = Duration::from_millis(700);
/// How long the nodes may take to stop.
const STOP: Duration = Duration::from_secs(15);

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A file whose lines are published instead of the bundled ones.
    pub input: Option<PathBuf>,
    /// A directory to keep everything in; else a temporary one.
    pub dir: Option<PathBuf>,
    /// For how long events are published.
    pub publish_for: Duration,
}

/// Plays it, and tells what came of it. If a promise was broken, everything is left on disk.
///
/// # Errors
/// If it cannot be played to its end.
pub async fn play(plan: &Plan) -> Result<Outcome, Error> {
    let input = match &plan.input {
        Some(path) => Input::read(path)?,
        None => Input::bundled(),
    };
    let stage = Stage::open();
    let mut mesh = LocalMesh::found(Home::open(plan.dir.as_deref())?, NODES, "demo")?;
    let played = acts(&mut mesh, &input, plan.publish_for, &stage).await;
    stage.close();
    let outcome = played?;
    if outcome.is_clean() {
        mesh.stop(STOP)?;
    } else {
        stage.say(format_args!(
            "everything is kept in {}",
            mesh.keep().display()
        ));
    }
    Ok(outcome)
}

async fn acts(
    mesh: &mut LocalMesh,
    input: &Input,
    publish_for: Duration,
    stage: &Stage,
) -> Result<Outcome, Error> {
    mesh.start_all()?;
    stage.say(format_args!(
        "{NODES} node processes start in {}",
        mesh.directory().display()
    ));
    let client = mesh.client(START).await?;
    mesh.during(create_channel(&client)).await?;
    stage.say(format_args!("channel {CHANNEL} is ready on {NODES} nodes"));
    let mut watchers = JoinSet::new();
    watchers.spawn(roles::watch(
        client.clone(),
        CHANNEL,
        mesh.names(),
        stage.clone(),
    ));
    let published = publish_through_a_failover(mesh, &client, input, publish_for, stage).await?;
    let promise = Promise {
        channel: CHANNEL,
        ledger: Arc::new(published.ledger),
        input: input.clone(),
    };
    stage.say("reading the channel back from each node");
    let names = mesh.names();
    let found = mesh
        .during(audit_all(&client, &names, &promise, stage))
        .await?;
    watchers.shutdown().await;
    client.close().await;
    let (count, acknowledged) = (promise.ledger.published(), promise.ledger.acknowledged());
    let mut outcome = Outcome::new(count, acknowledged).audited(found);
    outcome.failover_ms = (published.failover.as_secs_f64() * 10_000.0).round() / 10.0;
    outcome.events_per_second = (count_f64(acknowledged) / published.took.as_secs_f64()).round();
    Ok(outcome)
}

async fn create_channel(client: &Client) -> Result<(), Error> {
    let channel = CreateChannel {
        name: CHANNEL.to_owned(),
        class: ChannelClass::Quorum,
        replicas: u8::try_from(NODES).unwrap_or(u8::MAX),
        filter: LabelFilter::default(),
        retention: Retention::FOREVER,
    };
    client.admin().create_channel(channel).await?;
    client.wait_ready(CHANNEL, START).await?;
    Ok(())
}

struct Published {
    ledger: Ledger,
    took: Duration,
    failover: Duration,
}

/// Publishes for a while, and in the middle of it kills the leader and starts it again.
async fn publish_through_a_failover(
    mesh: &mut LocalMesh,
    client: &Client,
    input: &Input,
    publish_for: Duration,
    stage: &Stage,
) -> Result<Published, Error> {
    let producer = client.producer(CHANNEL).await?;
    let (telling, pulse) = watch::channel(Pulse::start());
    let begun = Instant::now();
    let publisher = Publisher::new(producer, input.clone(), telling);
    stage.say(format_args!(
        "publishing {} lines, over and over, at full speed",
        input.len()
    ));
    stage.begin("publishing", millis(publish_for));
    let mut tasks = JoinSet::new();
    tasks.spawn(publisher.run(begun + publish_for));
    let mut bars = JoinSet::new();
    bars.spawn(show_progress(pulse.clone(), begun, stage.clone()));
    sleep_until((begun + publish_for.mul_f64(0.4)).into()).await;
    let failover = fail_over(mesh, client, pulse, stage).await;
    if let (Err(_), Some(Ok(ended))) = (&failover, tasks.try_join_next()) {
        ended?;
    }
    let failover = failover?;
    let done = async {
        match tasks.join_next().await {
            Some(Ok(ledger)) => ledger,
            Some(Err(failed)) => Err(Error::Process {
                what: "publish",
                source: failed.into(),
            }),
            None => Err(Error::Invalid("nothing was published".into())),
        }
    };
    let ledger = mesh.during(done).await?;
    bars.shutdown().await;
    Ok(Published {
        ledger,
        took: begun.elapsed(),
        failover,
    })
}

/// Kills the leader, waits for the first acknowledgement of another, and starts the dead node
/// again. Gives how long there was no acknowledgement: one that was already under way when the
/// leader died does not count, since it has the epoch of the dead.
async fn fail_over(
    mesh: &mut LocalMesh,
    client: &Client,
    mut pulse: watch::Receiver<Pulse>,
    stage: &Stage,
) -> Result<Duration, Error> {
    let leader = leader(client).await?;
    let epoch = pulse.borrow().epoch;
    let killed = Instant::now();
    mesh.kill(&leader)?;
    stage.say(format_args!(
        "SIGKILL for {leader}, which leads in epoch {epoch}"
    ));
    let waited = timeout(FAILOVER, pulse.wait_for(|pulse| pulse.epoch > epoch)).await;
    let Ok(Ok(next)) = waited.map(|pulse| pulse.map(|pulse| *pulse)) else {
        let what = "that another leader acknowledges events".to_owned();
        return Err(Error::TooLate {
            what,
            limit: FAILOVER,
        });
    };
    let failover = next.since.saturating_duration_since(killed);
    stage.say(format_args!(
        "first acknowledgement of epoch {}, {:.0} ms after the kill",
        next.epoch,
        failover.as_secs_f64() * 1_000.0
    ));
    mesh.during(pause(ABSENCE)).await?;
    mesh.start(&leader)?;
    stage.say(format_args!("{leader} is started again"));
    Ok(failover)
}

async fn pause(duration: Duration) -> Result<(), Error> {
    sleep(duration).await;
    Ok(())
}

/// The name of the node that leads.
async fn leader(client: &Client) -> Result<String, Error> {
    let find = async {
        loop {
            if let Some(leader) = client.admin().show_channel(CHANNEL).await?.leader {
                return Ok(leader);
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(FAILOVER, find).await.unwrap_or_else(|_| {
        let what = "that a node leads".to_owned();
        Err(Error::TooLate {
            what,
            limit: FAILOVER,
        })
    })
}

async fn show_progress(pulse: watch::Receiver<Pulse>, begun: Instant, stage: Stage) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        let acknowledged = pulse.borrow().acknowledged;
        stage.progress(millis(begun.elapsed()), || {
            format!("{acknowledged} acknowledged")
        });
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of a few seconds are far below 2^53"
)]
const fn count_f64(count: u64) -> f64 {
    count as f64
}
