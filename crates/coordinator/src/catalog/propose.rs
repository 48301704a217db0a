//! Making a command part of the catalog: append it to `__meta`, wait until this node has applied
//! it, and look what became of it.

use std::time::Duration;

use tetrarch_replica::catalog::CatalogChange;
use tetrarch_wire::{
    Event, NodeId, Seq,
    batch::EventBlock,
    frame::{CatalogCommand, ProduceOutcome, RetryReason},
};
use tokio::sync::oneshot;

use super::CatalogView;
use crate::channel::{ClientInput, Workers};

/// How long a committed command may take to be applied here.
const APPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a command did not become part of the catalog.
#[derive(Debug)]
pub(crate) enum ProposalError {
    /// Another node leads the catalog's channel.
    NotLeader(Option<NodeId>),
    /// It may have become part of it or not.
    Indeterminate,
    /// It was not appended.
    Refused(RetryReason, &'static str),
}

/// Appends the command and returns what applying it did.
pub(crate) async fn propose(
    workers: &Workers,
    view: &CatalogView,
    command: &CatalogCommand,
) -> Result<CatalogChange, ProposalError> {
    let mut applied = view.applied();
    let seq = append(workers, view, command).await?;
    let waiting = applied.wait_for(|applied| *applied >= seq);
    match tokio::time::timeout(APPLY_TIMEOUT, waiting).await {
        Ok(Ok(_)) => view.outcome(seq).ok_or(ProposalError::Indeterminate),
        Ok(Err(_)) | Err(_) => Err(ProposalError::Indeterminate),
    }
}

async fn append(
    workers: &Workers,
    view: &CatalogView,
    command: &CatalogCommand,
) -> Result<Seq, ProposalError> {
    let channel = view.meta().uid;
    let (reply, outcome) = oneshot::channel();
    let input = ClientInput::Propose {
        channel,
        events: block(command)?,
        reply,
    };
    let stopping = ProposalError::Refused(RetryReason::Starting, "the node is stopping");
    if workers.of(channel).clients.send(input).await.is_err() {
        return Err(stopping);
    }
    match outcome.await {
        Ok(outcome) => appended(outcome),
        Err(_) => Err(ProposalError::NotLeader(None)),
    }
}

fn block(command: &CatalogCommand) -> Result<EventBlock, ProposalError> {
    const TOO_LARGE: ProposalError = ProposalError::Refused(
        RetryReason::Invalid,
        "the command is too large for the catalog",
    );
    let bytes = command.encode().map_err(|_| TOO_LARGE)?;
    let mut builder = EventBlock::builder();
    builder
        .push(&Event::new(bytes.into()))
        .map_err(|_| TOO_LARGE)?;
    Ok(builder.finish())
}

fn appended(outcome: ProduceOutcome) -> Result<Seq, ProposalError> {
    match outcome {
        ProduceOutcome::Appended { runs, .. } => runs
            .first()
            .map(|run| run.first)
            .ok_or(ProposalError::Indeterminate),
        ProduceOutcome::Retry {
            reason: RetryReason::NotLeader,
            leader,
            ..
        } => Err(ProposalError::NotLeader(leader)),
        ProduceOutcome::Retry { reason, .. } => Err(ProposalError::Refused(
            reason,
            "the catalog's leader cannot append now",
        )),
        ProduceOutcome::Indeterminate => Err(ProposalError::Indeterminate),
        ProduceOutcome::StorageFull => Err(ProposalError::Refused(
            RetryReason::Internal,
            "the disk of the catalog's leader is full",
        )),
        ProduceOutcome::UnknownChannel => Err(ProposalError::NotLeader(None)),
        ProduceOutcome::OutOfOrder { .. }
        | ProduceOutcome::Fenced { .. }
        | ProduceOutcome::TooLarge { .. }
        | ProduceOutcome::Denied => Err(ProposalError::Refused(
            RetryReason::Internal,
            "the catalog refused the command",
        )),
    }
}
