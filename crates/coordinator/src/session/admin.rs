//! Operators' commands. What changes the catalog is carried out by the leader of the catalog's
//! channel; any other node says who that is.

use tetrarch_replica::{
    AdminOutcome,
    catalog::{CatalogChange, CatalogRefusal},
};
use tetrarch_wire::{
    ChannelClass, NodeId, Retention,
    channel::check_channel_name,
    frame::{
        AdminRequest, AdminResponse, CatalogCommand, ChannelEntry, CreateChannel, Placement,
        Refused, RetryReason, StatusPage,
    },
};
use tokio::sync::oneshot;

use super::{SessionContext, requests::refused, status};
use crate::{
    catalog::{ProposalError, propose},
    channel::Command,
};

/// Most channels on one page of a listing.
const MAX_PAGE: usize = 1_000;

pub(super) async fn answer(context: &SessionContext, request: AdminRequest) -> AdminResponse {
    let number = request.request();
    let done = match request {
        AdminRequest::CreateChannel { channel, .. } => create(context, channel).await,
        AdminRequest::AlterChannel {
            name, retention, ..
        } => alter(context, &name, retention).await,
        AdminRequest::DeleteChannel { name, .. } => delete(context, &name).await,
        AdminRequest::ListChannels { after, limit, .. } => list(context, after.as_deref(), limit),
        AdminRequest::Relinquish { name, to, .. } => relinquish(context, &name, to).await,
        AdminRequest::MoveChannel { name, nodes, .. } => relocate(context, &name, &nodes).await,
        AdminRequest::Status {
            channel,
            after,
            limit,
            ..
        } => {
            let page = status::page(context, channel.as_deref(), after.as_deref(), limit);
            Ok(Answer::Status(page))
        }
        AdminRequest::Drain {
            node, is_drained, ..
        } => drain(context, node, is_drained).await,
    };
    match done {
        Ok(Answer::Done) => AdminResponse::Done { request: number },
        Ok(Answer::Created(channel)) => AdminResponse::Created {
            request: number,
            channel,
        },
        Ok(Answer::Channels(channels, next)) => AdminResponse::Channels {
            request: number,
            channels,
            next,
        },
        Ok(Answer::Moving(placement)) => AdminResponse::Moving {
            request: number,
            placement,
        },
        Ok(Answer::Status(page)) => AdminResponse::Status {
            request: number,
            page,
        },
        Err(refusal) => AdminResponse::Refused(Refused {
            request: number,
            ..refusal
        }),
    }
}

enum Answer {
    Done,
    Created(ChannelEntry),
    Channels(Vec<ChannelEntry>, Option<String>),
    Moving(Placement),
    Status(StatusPage),
}

async fn create(context: &SessionContext, wanted: CreateChannel) -> Result<Answer, Refused> {
    check_channel_name(&wanted.name)
        .map_err(|error| refused(0, RetryReason::Invalid, error.to_string()))?;
    if let ChannelClass::Available(copies) = wanted.class
        && copies.get() > usize::from(wanted.replicas)
    {
        let (copies, replicas) = (copies.get(), wanted.replicas);
        let detail = format!("{copies} copies of an event cannot be on {replicas} nodes");
        return Err(refused(0, RetryReason::Invalid, detail));
    }
    if context.catalog.find(&wanted.name).is_some() {
        let detail = format!("a channel named '{}' exists already", wanted.name);
        return Err(refused(0, RetryReason::Exists, detail));
    }
    context
        .facts
        .require_catalog_leader(context.catalog.meta().uid)?;
    let entry = context
        .facts
        .place(&wanted, &context.catalog.drained())
        .map_err(|error| refused(0, RetryReason::NoPlacement, error.to_string()))?;
    commit(context, &CatalogCommand::Create(entry.clone())).await?;
    Ok(Answer::Created(entry))
}

async fn alter(
    context: &SessionContext,
    name: &str,
    retention: Retention,
) -> Result<Answer, Refused> {
    let entry = find(context, name)?;
    context
        .facts
        .require_catalog_leader(context.catalog.meta().uid)?;
    let command = CatalogCommand::AlterRetention {
        uid: entry.uid,
        retention,
    };
    commit(context, &command).await?;
    Ok(Answer::Done)
}

async fn delete(context: &SessionContext, name: &str) -> Result<Answer, Refused> {
    let entry = find(context, name)?;
    context
        .facts
        .require_catalog_leader(context.catalog.meta().uid)?;
    commit(context, &CatalogCommand::Delete { uid: entry.uid }).await?;
    Ok(Answer::Done)
}

async fn relocate(
    context: &SessionContext,
    name: &str,
    nodes: &[NodeId],
) -> Result<Answer, Refused> {
    let entry = find(context, name)?;
    let meta = context.catalog.meta().uid;
    if entry.uid == meta {
        let detail = "the catalog's own channel stays on the nodes that founded the mesh";
        return Err(refused(0, RetryReason::Invalid, detail));
    }
    context.facts.require_catalog_leader(meta)?;
    let drained = context.catalog.drained();
    if let Some(node) = nodes.iter().find(|node| drained.contains(node)) {
        let name = context.facts.name_of(*node);
        let detail = format!("node {name} is drained: undrain it, or name another one");
        return Err(refused(0, RetryReason::NoPlacement, detail));
    }
    let voters = context.facts.voters_on(nodes).map_err(|absent| {
        let detail = format!(
            "node {absent} is not connected, or its disk was replaced: start it, or name another one"
        );
        refused(0, RetryReason::NoPlacement, detail)
    })?;
    let uid = entry.uid;
    let change = commit(context, &CatalogCommand::Place { uid, voters }).await?;
    let CatalogChange::Placed(_, set) = change else {
        let detail = "the catalog took the placement for another command";
        return Err(refused(0, RetryReason::Internal, detail));
    };
    Ok(Answer::Moving(status::placement(&set)))
}

async fn drain(
    context: &SessionContext,
    node: NodeId,
    is_drained: bool,
) -> Result<Answer, Refused> {
    context
        .facts
        .require_catalog_leader(context.catalog.meta().uid)?;
    commit(context, &CatalogCommand::Drain { node, is_drained }).await?;
    Ok(Answer::Done)
}

fn find(context: &SessionContext, name: &str) -> Result<ChannelEntry, Refused> {
    let found = context.catalog.find(name);
    match found {
        Some(entry) => Ok(entry),
        None => Err(context.require_catalog().err().unwrap_or(unknown(name))),
    }
}

fn unknown(name: &str) -> Refused {
    let detail = format!("there is no channel named '{name}'");
    Refused {
        retry_after_ms: None,
        ..refused(0, RetryReason::UnknownChannel, detail)
    }
}

/// Makes the command part of the catalog, or says why it is not.
async fn commit(
    context: &SessionContext,
    command: &CatalogCommand,
) -> Result<CatalogChange, Refused> {
    match propose(&context.workers, &context.catalog, command).await {
        Ok(CatalogChange::Refused(refusal)) => Err(refused_by_catalog(&refusal)),
        Ok(
            change @ (CatalogChange::Created(_)
            | CatalogChange::RetentionChanged(_)
            | CatalogChange::Deleted(_)
            | CatalogChange::Placed(..)
            | CatalogChange::Drained { .. }),
        ) => Ok(change),
        Err(ProposalError::NotLeader(leader)) => {
            let refusal = refused(0, RetryReason::NotLeader, "another node leads the catalog");
            Err(Refused { leader, ..refusal })
        }
        Err(ProposalError::Indeterminate) => Err(refused(
            0,
            RetryReason::Internal,
            "the catalog's leader changed meanwhile: look whether the command was carried out",
        )),
        Err(ProposalError::Refused(reason, detail)) => Err(refused(0, reason, detail)),
    }
}

fn refused_by_catalog(refusal: &CatalogRefusal) -> Refused {
    let reason = match refusal {
        CatalogRefusal::NameTaken { .. } | CatalogRefusal::UidTaken { .. } => RetryReason::Exists,
        CatalogRefusal::UnknownChannel { .. } => RetryReason::UnknownChannel,
        CatalogRefusal::Repeated { .. } | CatalogRefusal::Outdated { .. } => RetryReason::Internal,
        CatalogRefusal::Full { .. }
        | CatalogRefusal::TooManyDrained { .. }
        | CatalogRefusal::Invalid { .. }
        | CatalogRefusal::ClassForbids { .. }
        | CatalogRefusal::TooManyMoves { .. } => RetryReason::Invalid,
    };
    Refused {
        retry_after_ms: None,
        ..refused(0, reason, refusal.to_string())
    }
}

fn list(context: &SessionContext, after: Option<&str>, limit: u32) -> Result<Answer, Refused> {
    context.require_catalog()?;
    let page = context
        .catalog
        .list(after, (limit as usize).clamp(1, MAX_PAGE));
    Ok(Answer::Channels(page.channels, page.next))
}

async fn relinquish(
    context: &SessionContext,
    name: &str,
    to: Option<NodeId>,
) -> Result<Answer, Refused> {
    let uid = find(context, name)?.uid;
    let (reply, outcome) = oneshot::channel();
    let order = Command::Transfer {
        channel: uid,
        to,
        forced: false,
        reply,
    };
    if context.workers.of(uid).commands.send(order).await.is_err() {
        return Err(refused(0, RetryReason::Starting, "the node is stopping"));
    }
    match outcome.await {
        Ok(AdminOutcome::Done) => Ok(Answer::Done),
        Ok(AdminOutcome::NotLeader(leader)) => {
            let leader = leader.and_then(|voter| context.facts.node_of(uid, voter));
            let refusal = refused(0, RetryReason::NotLeader, "another node leads the channel");
            Err(Refused { leader, ..refusal })
        }
        Ok(AdminOutcome::Failed(why)) => Err(refused(0, RetryReason::Internal, why)),
        Err(_) => Err(refused(
            0,
            RetryReason::NotLeader,
            "the channel is not on this node",
        )),
    }
}
