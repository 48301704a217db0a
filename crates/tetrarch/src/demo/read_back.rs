//! Reads each node's copy of the channel from its beginning, and audits it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tetrarch_client::{Client, FetchFrom, SubscribeOptions, Subscription};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::audit::{Audit, Findings};
use super::input::Input;
use super::ledger::Ledger;
use super::publish::number_of;
use super::stage::Stage;
use crate::error::Error;

/// How long a node may deliver nothing, though it does not have everything yet.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the copies are held against.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) channel: &'static str,
    pub(super) ledger: Arc<Ledger>,
    pub(super) input: Input,
}

/// Audits the copies of all `nodes` at once; gives what is wrong with each, by name.
///
/// # Errors
/// If one of them cannot be read to its end.
pub(super) async fn audit_all(
    client: &Client,
    nodes: &[String],
    promise: &Promise,
    stage: &Stage,
) -> Result<Vec<(String, Findings)>, Error> {
    let total = promise.ledger.published() * nodes.len() as u64;
    stage.begin("reading", total);
    let read = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for node in nodes {
        let (client, node) = (client.clone(), node.clone());
        let (promise, read) = (promise.clone(), Arc::clone(&read));
        readers.spawn(async move {
            let findings = audit_one(&client, &node, &promise, &read).await?;
            Ok::<_, Error>((node, findings))
        });
    }
    let mut audited = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            done = readers.join_next() => match done {
                Some(Ok(one)) => audited.push(one?),
                Some(Err(failed)) => return Err(Error::Process {
                    what: "read a channel back",
                    source: failed.into(),
                }),
                None => break,
            },
            _ = tick.tick() => {
                let read = read.load(Ordering::Relaxed);
                stage.progress(read, || format!("{read} of {total} events"));
            }
        }
    }
    audited.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(audited)
}

async fn audit_one(
    client: &Client,
    node: &str,
    promise: &Promise,
    read: &AtomicU64,
) -> Result<Findings, Error> {
    let options = SubscribeOptions {
        node: Some(node.to_owned()),
        give_up_after: PATIENCE,
        ..SubscribeOptions::default()
    };
    let mut copy = client.subscribe(promise.channel, FetchFrom::Start, options);
    let mut audit = Audit::new(&promise.ledger);
    let last = promise.ledger.last();
    while copy.next_seq().is_none_or(|next| next <= last) {
        let Some(batch) = next_batch(&mut copy, node).await? else {
            break;
        };
        for delivered in &batch {
            let (number, is_intact) = number_of(&promise.input, &delivered.event.payload);
            audit.event(delivered.seq, number, is_intact);
        }
        read.fetch_add(batch.count().into(), Ordering::Relaxed);
    }
    Ok(audit.finish())
}

/// The next batch; `None` if the node has no more though it should, which the audit will show.
async fn next_batch(
    copy: &mut Subscription,
    node: &str,
) -> Result<Option<tetrarch_client::EventBatch>, Error> {
    match timeout(PATIENCE, copy.next_batch()).await {
        Ok(batch) => Ok(Some(batch?)),
        Err(_) => {
            tracing::warn!(node, "the node does not deliver what was acknowledged");
            Ok(None)
        }
    }
}
