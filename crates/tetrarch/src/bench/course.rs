//! The course of a measurement: channels, producers and subscribers for each load in turn.

use std::sync::Arc;

use tetrarch_client::{Client, Producer, ProducerOptions};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::plan::{Load, Plan, Shape};
use super::report::{Consumed, Report};
use super::stamp::Stamps;
use super::stand::Stand;
use super::tally::Tally;
use super::usage::Usage;
use super::window::Window;
use super::{channels, closed_loop, delivery, pipelined};
use crate::error::Error;

/// Bytes of an event besides its payload, generously.
const OVERHEAD: usize = 64;

/// Measures each load of the plan, telling `seen` of each result as it comes.
///
/// # Errors
/// If a mesh cannot be started or reached, or a node ends.
pub async fn run(
    plan: &Plan,
    mut seen: impl FnMut(&Report) -> Result<(), Error>,
) -> Result<Vec<Report>, Error> {
    let mut stand = Stand::open(&plan.site).await?;
    let mut reports = Vec::new();
    for shape in &plan.shapes {
        let report = measure(&mut stand, plan, plan.load(*shape)).await?;
        seen(&report)?;
        reports.push(report);
    }
    stand.close().await?;
    Ok(reports)
}

async fn measure(stand: &mut Stand, plan: &Plan, load: Load) -> Result<Report, Error> {
    let (client, replicas) = (stand.client.clone(), stand.replicas());
    let create = channels::create(&client, "bench", load.channels, replicas);
    let names = stand.during(create).await?;
    let producers = stand.during(producers(&client, &names, &load)).await?;
    let stamps = Stamps::new(load.size);
    let tally = Arc::new(Tally::new(Window::after(plan.warmup, plan.measured))?);
    let subscribers = subscribe(&client, &names, stamps, &tally);
    let publishers = publish(producers, &load, stamps, &tally);
    let consumed = stand_by(stand, &tally).await?;
    stand.during(join(publishers)).await?;
    drop(subscribers);
    stand.during(channels::delete(&client, &names)).await?;
    Ok(Report::new(load, &tally, replicas, consumed))
}

/// Waits while the window is open; gives what was consumed meanwhile.
async fn stand_by(stand: &mut Stand, tally: &Tally) -> Result<Consumed, Error> {
    let wait = async |until: std::time::Instant| {
        sleep_until(until.into()).await;
        Ok(())
    };
    stand.during(wait(tally.window().from())).await?;
    let (before, ours_before) = (stand.usage()?, Usage::of(std::process::id())?);
    stand.during(wait(tally.window().until())).await?;
    let (after, ours_after) = (stand.usage()?, Usage::of(std::process::id())?);
    Ok(Consumed {
        nodes_before: before,
        nodes_after: after,
        client_before: ours_before,
        client_after: ours_after,
    })
}

/// The producers of a load, spread over the channels.
async fn producers(client: &Client, names: &[String], load: &Load) -> Result<Vec<Producer>, Error> {
    let options = ProducerOptions {
        max_buffered_bytes: (load.share() * (load.size + OVERHEAD)).max(16 << 20),
        max_buffered_events: load.share().max(65_536),
        ..ProducerOptions::default()
    };
    let mut producers = Vec::new();
    for name in names.iter().cycle().take(load.producers) {
        producers.push(client.producer_with(name, options.clone()).await?);
    }
    Ok(producers)
}

fn subscribe(client: &Client, names: &[String], stamps: Stamps, tally: &Arc<Tally>) -> JoinSet<()> {
    let mut subscribers = JoinSet::new();
    for name in names {
        let (client, name, tally) = (client.clone(), name.clone(), Arc::clone(tally));
        subscribers.spawn(async move { delivery::run(&client, &name, stamps, &tally).await });
    }
    subscribers
}

fn publish(
    producers: Vec<Producer>,
    load: &Load,
    stamps: Stamps,
    tally: &Arc<Tally>,
) -> JoinSet<Result<(), Error>> {
    let (in_flight, batch) = (load.share(), load.events_per_batch);
    let mut publishers = JoinSet::new();
    for producer in producers {
        let tally = Arc::clone(tally);
        match load.shape {
            Shape::Pipelined => publishers.spawn(async move {
                let pipelined = pipelined::Pipelined::new(producer, stamps, &tally);
                pipelined.run(in_flight, batch).await
            }),
            Shape::Producers | Shape::Single => publishers.spawn(async move {
                closed_loop::run(producer, stamps, &tally).await;
                Ok(())
            }),
        };
    }
    publishers
}

async fn join(mut publishers: JoinSet<Result<(), Error>>) -> Result<(), Error> {
    while let Some(ended) = publishers.join_next().await {
        ended.map_err(|failed| Error::Process {
            what: "publish",
            source: failed.into(),
        })??;
    }
    Ok(())
}
