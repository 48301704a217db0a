//! The channels of a measurement: made before it, gone after it.

use std::time::Duration;

use tetrarch_client::Client;
use tetrarch_wire::frame::{CreateChannel, LabelFilter};
use tetrarch_wire::{ChannelClass, Retention};
use tokio::task::JoinSet;

use crate::error::Error;

/// Orders that are under way at once.
const AT_ONCE: usize = 64;
/// How long a new channel may take to have a leader.
const READY: Duration = Duration::from_secs(60);

/// Makes `count` channels on `replicas` nodes each, and waits until all have leaders. Their names
/// begin with `prefix` and were never used before.
///
/// # Errors
/// If one of them cannot be made.
pub(super) async fn create(
    client: &Client,
    prefix: &str,
    count: usize,
    replicas: usize,
) -> Result<Vec<String>, Error> {
    let tag = getrandom::u32().map_err(Error::Randomness)?;
    let names: Vec<_> = (0..count)
        .map(|index| format!("{prefix}-{tag:08x}-{index}"))
        .collect();
    let replicas = u8::try_from(replicas).unwrap_or(u8::MAX);
    for_all(client, &names, |client, name| {
        create_one(client, name, replicas)
    })
    .await?;
    Ok(names)
}

async fn create_one(client: Client, name: String, replicas: u8) -> Result<(), Error> {
    let channel = CreateChannel {
        name: name.clone(),
        class: ChannelClass::Quorum,
        replicas,
        filter: LabelFilter::default(),
        retention: Retention::FOREVER,
    };
    client.admin().create_channel(channel).await?;
    client.wait_ready(&name, READY).await?;
    Ok(())
}

/// Deletes channels.
///
/// # Errors
/// If one of them cannot be deleted.
pub(super) async fn delete(client: &Client, names: &[String]) -> Result<(), Error> {
    for_all(client, names, delete_one).await
}

async fn delete_one(client: Client, name: String) -> Result<(), Error> {
    Ok(client.admin().delete_channel(&name).await?)
}

async fn for_all<F>(
    client: &Client,
    names: &[String],
    order: impl Fn(Client, String) -> F,
) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for name in names {
        if under_way.len() >= AT_ONCE {
            next(&mut under_way).await?;
        }
        under_way.spawn(order(client.clone(), name.clone()));
    }
    while !under_way.is_empty() {
        next(&mut under_way).await?;
    }
    Ok(())
}

async fn next(under_way: &mut JoinSet<Result<(), Error>>) -> Result<(), Error> {
    match under_way.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(failed)) => Err(Error::Process {
            what: "wait for an order",
            source: failed.into(),
        }),
        None => Ok(()),
    }
}
