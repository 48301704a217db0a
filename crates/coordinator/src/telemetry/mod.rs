//! The one home of what a node tells about itself in numbers: names, units, labels and help in one
//! table, the cells that hold the measurements, and the text that a scrape gets.
//!
//! Measuring is cheap: whoever works on something holds a handle with the cells resolved, and an
//! observation is one or two atomic operations. All work that grows with the number of channels is
//! done by the scrape.

mod cell;
mod channel;
mod clients;
mod definition;
mod histogram;
mod labels;
mod limit;
mod node;
mod page;
mod reference;
mod roles;
mod store;
mod table;
mod transport;

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::SystemTime};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    registry::Registry,
};

pub use cell::{Held, Level};
pub use channel::{ChannelTelemetry, Lag, Progress, ReplicaTelemetry, SubscriptionTelemetry};
pub use clients::ClientTelemetry;
pub use definition::{Definition, Kind, Topic, Unit};
pub use labels::{
    Certificate, ConnectionKind, Direction, ElectionOutcome, Label, Outcome, ProduceCode, Queue,
    StoreErrorKind, StoreState, TrafficLane,
};
pub use limit::{OTHER, Pattern, SeriesLimit};
pub use node::NodeInfo;
pub use reference::reference_markdown;
pub use store::{DiskSample, GroupSynced, StoreTelemetry};
pub use table::{TOPICS, metrics};
pub use transport::TransportTelemetry;

use channel::ChannelSet;
use node::NodeCells;
use page::{Page, Show};
use roles::Roles;

/// Everything that a node measures.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    node: Arc<NodeCells>,
    roles: Arc<Roles>,
    channels: Arc<ChannelSet>,
    clients: Arc<ClientTelemetry>,
    store: Arc<StoreTelemetry>,
    transport: Arc<TransportTelemetry>,
}

impl Telemetry {
    /// Telemetry with a registry of its own: several nodes of one process do not mix.
    #[must_use]
    pub fn new(info: NodeInfo, limit: SeriesLimit) -> Self {
        let mut telemetry = Self {
            registry: Registry::default(),
            node: Arc::new(NodeCells::new(info)),
            roles: Arc::default(),
            channels: Arc::new(ChannelSet::new(limit)),
            clients: Arc::new(ClientTelemetry::new()),
            store: Arc::new(StoreTelemetry::new()),
            transport: Arc::default(),
        };
        telemetry.register();
        telemetry
    }

    fn register(&mut self) {
        let parts: [Arc<dyn Part>; 6] = [
            self.node.clone(),
            self.roles.clone(),
            self.channels.clone(),
            self.clients.clone(),
            self.store.clone(),
            self.transport.clone(),
        ];
        self.registry
            .register_collector(Box::new(Exposition(parts)));
    }

    /// Begins to measure a channel. Ends when the last clone of what is returned is dropped.
    #[must_use]
    pub fn channel(&self, name: &str) -> ChannelTelemetry {
        ChannelTelemetry::open(name, Arc::clone(&self.channels), Arc::clone(&self.roles))
    }

    /// What clients ask for.
    #[must_use]
    pub const fn clients(&self) -> &Arc<ClientTelemetry> {
        &self.clients
    }

    /// The store and its disk.
    #[must_use]
    pub const fn store(&self) -> &Arc<StoreTelemetry> {
        &self.store
    }

    /// Connections and frames.
    #[must_use]
    pub const fn transport(&self) -> &Arc<TransportTelemetry> {
        &self.transport
    }

    /// What waits in the queues of a kind.
    #[must_use]
    pub fn queue(&self, queue: Queue) -> Level {
        self.node.queue(queue)
    }

    /// A certificate is in use, and runs out then.
    pub fn certificate(&self, certificate: Certificate, not_after: SystemTime) {
        self.node.certificate(certificate, not_after);
    }

    /// Certificates were read again.
    pub fn certificates_reloaded(&self, outcome: Outcome) {
        self.node.certificates_reloaded(outcome);
    }

    /// All measurements as they are now, in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::new();
        if text::encode(&mut out, &self.registry).is_err() {
            // What there is lacks its end mark, so that a scraper takes it for what it is.
            tracing::error!("the metrics could not be written");
        }
        out
    }
}

/// A part of the telemetry that a scrape reads.
trait Part: Show + fmt::Debug + Send + Sync {}

impl<T: Show + fmt::Debug + Send + Sync> Part for T {}

/// What the registry reads.
#[derive(Debug)]
struct Exposition([Arc<dyn Part>; 6]);

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page::new(encoder);
        self.0.iter().try_for_each(|part| part.show(&mut page))
    }
}
