//! Telling a client where channels and nodes are.

use tetrarch_wire::{
    Frame,
    frame::{ChannelRoute, Metadata, MetadataResponse, Refused, RetryReason},
};

use super::SessionContext;

/// Leaves out what does not exist; refuses as long as this node cannot know.
pub(super) fn answer(context: &SessionContext, request: &Metadata) -> Frame {
    let channels: Vec<ChannelRoute> = request
        .channels
        .iter()
        .filter_map(|name| route(context, name))
        .collect();
    if channels.len() < request.channels.len() {
        if let Err(refusal) = context.require_catalog() {
            return Frame::Refused(Refused {
                request: request.request,
                ..refusal
            });
        }
        let clients = context.telemetry.clients();
        clients.refused(RetryReason::UnknownChannel);
    }
    Frame::MetadataResponse(MetadataResponse {
        request: request.request,
        channels,
        nodes: context.facts.node_routes(),
    })
}

fn route(context: &SessionContext, name: &str) -> Option<ChannelRoute> {
    let entry = context.catalog.find(name)?;
    let leadership = context
        .registry
        .get(entry.uid)
        .map(|h| h.leadership())
        .unwrap_or_default();
    let set = context.catalog.holders_of(&entry);
    let leader = leadership.leader.and_then(|id| leadership.node_of(id));
    Some(ChannelRoute {
        name: entry.name,
        uid: entry.uid,
        class: entry.genesis.class,
        retention: entry.retention,
        epoch: leadership.epoch.unwrap_or(tetrarch_wire::Epoch::NONE),
        leader,
        replicas: set.wanted().map(|(id, voter)| (voter.node, id)).collect(),
    })
}
