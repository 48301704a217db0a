//! Leaders of channels tell the catalog that a move is complete; whoever leads the catalog writes it down.

use std::sync::Arc;

use tetrarch_wire::{
    ReplicaRole, VoterId,
    frame::{CatalogCommand, PlacementReport},
};
use tokio::sync::{mpsc, watch};

use super::{CatalogView, propose};
use crate::{channel::Workers, registry::Registry};

/// Most reports that wait; leaders repeat what is dropped.
const CAPACITY: usize = 256;

/// Where reports are left.
#[derive(Clone)]
pub(crate) struct ReportHandle {
    sender: mpsc::Sender<(VoterId, PlacementReport)>,
}

impl ReportHandle {
    /// `from` says that a move is complete.
    pub(crate) fn offer(&self, from: VoterId, report: PlacementReport) {
        if self.sender.try_send((from, report)).is_err() {
            tracing::debug!(channel = %report.channel, "a report is dropped, and will be repeated");
        }
    }
}

/// The task that writes down what is reported, as long as this node leads the catalog.
pub(crate) struct Reports {
    reports: mpsc::Receiver<(VoterId, PlacementReport)>,
    view: Arc<CatalogView>,
    workers: Workers,
    registry: Arc<Registry>,
}

impl Reports {
    pub(crate) fn new(
        view: Arc<CatalogView>,
        workers: Workers,
        registry: Arc<Registry>,
    ) -> (ReportHandle, Self) {
        let (sender, reports) = mpsc::channel(CAPACITY);
        let task = Self {
            reports,
            view,
            workers,
            registry,
        };
        (ReportHandle { sender }, task)
    }

    /// Runs until `stop` turns true.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.write_down_all() => {}
        }
    }

    async fn write_down_all(&mut self) {
        while let Some((from, report)) = self.reports.recv().await {
            self.write_down(from, report).await;
        }
    }

    async fn write_down(&self, from: VoterId, report: PlacementReport) {
        if !self.is_news(from, report) {
            return;
        }
        let PlacementReport { channel, version } = report;
        let command = CatalogCommand::Placed {
            uid: channel,
            version,
        };
        if let Err(error) = propose(&self.workers, &self.view, &command).await {
            tracing::debug!(%channel, ?error, "a completed move could not be written down yet");
        }
    }

    /// Whether this node is to write it down: it leads the catalog, which does not have it yet, and
    /// the sender holds the channel.
    fn is_news(&self, from: VoterId, report: PlacementReport) -> bool {
        let meta = self.registry.get(self.view.meta().uid);
        let leads = meta.is_some_and(|meta| meta.role() == ReplicaRole::Leader);
        let set = self.view.replica_set(report.channel);
        leads
            && set.is_some_and(|set| {
                set.version() == report.version && !set.is_settled() && set.is_held_by(from)
            })
    }
}
