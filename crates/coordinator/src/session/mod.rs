//! Clients' streams. A stream's first frame says what it is: a subscription, or a sequence of
//! requests that are answered in whatever order they are done.

mod admin;
mod metadata;
mod requests;
mod status;
mod subscription;

use std::sync::Arc;

use tetrarch_client::{
    tls::Principal,
    transport::{FrameReceiver, FrameSender},
};
use tetrarch_wire::{
    Frame,
    frame::{Refused, RetryReason},
};
use tokio::sync::Semaphore;

use self::requests::refused;
use crate::{
    catalog::CatalogView, channel::Workers, node::NodeFacts, registry::Registry,
    telemetry::Telemetry,
};

/// What the sessions need of the node.
pub(crate) struct SessionContext {
    pub(crate) facts: Arc<NodeFacts>,
    pub(crate) workers: Workers,
    pub(crate) registry: Arc<Registry>,
    pub(crate) catalog: Arc<CatalogView>,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Room for events that clients sent and that are not acknowledged yet, in kibibytes.
    pub(crate) room: Arc<Semaphore>,
}

impl SessionContext {
    /// Whether the catalog here can say that a channel does not exist.
    ///
    /// # Errors
    /// The refusal for whoever asked too early: this node, or the whole mesh, has just started.
    pub(crate) fn require_catalog(&self) -> Result<(), Refused> {
        let meta = self.registry.get(self.catalog.meta().uid);
        let current = meta.and_then(|handle| handle.current_commit());
        if self.catalog.is_settled(current) {
            return Ok(());
        }
        let detail = "this node has not read the catalog yet";
        Err(refused(0, RetryReason::Starting, detail))
    }
}

/// Serves one stream until it ends.
pub(crate) async fn serve(
    context: Arc<SessionContext>,
    client: Arc<Principal>,
    sender: FrameSender,
    mut receiver: FrameReceiver,
) {
    match receiver.next().await {
        Ok(Some(Frame::Subscribe(subscribe))) => {
            subscription::serve(context, client, subscribe, sender, receiver).await;
        }
        Ok(Some(first)) => requests::serve(context, client, first, sender, receiver).await,
        Ok(None) => {}
        Err(error) => {
            tracing::info!(%client, %error, "a client's stream is refused");
            context.telemetry.transport().frame_refused("client_stream");
        }
    }
}
