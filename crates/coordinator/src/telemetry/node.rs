//! The node as a whole: what runs, since when, with which certificates, and what waits in it.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    cell::{Count, Each, Known, Level},
    labels::{Certificate, Label as _, Outcome, Queue},
    page::{Page, Show},
    table,
};

/// Who the node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its name.
    pub node: String,
    /// Its mesh.
    pub cluster: String,
    /// When it started.
    pub started: SystemTime,
}

/// The measurements of the node.
#[derive(Debug)]
pub(super) struct NodeCells {
    info: NodeInfo,
    certificates: Each<Certificate, Known>,
    reloads: Each<Outcome, Count>,
    queues: Each<Queue, Level>,
}

impl NodeCells {
    pub(super) fn new(info: NodeInfo) -> Self {
        Self {
            info,
            certificates: Each::default(),
            reloads: Each::default(),
            queues: Each::default(),
        }
    }

    pub(super) fn certificate(&self, certificate: Certificate, not_after: SystemTime) {
        let since_epoch = not_after.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.certificates
            .of(certificate)
            .set(Some(since_epoch.as_secs()));
    }

    pub(super) fn certificates_reloaded(&self, outcome: Outcome) {
        self.reloads.of(outcome).add(1);
    }

    pub(super) fn queue(&self, queue: Queue) -> Level {
        self.queues.of(queue).clone()
    }
}

impl Show for NodeCells {
    fn show(&self, page: &mut Page<'_>) -> fmt::Result {
        page.metric(&table::BUILD_INFO, |series| {
            series.info(&[env!("CARGO_PKG_VERSION")])
        })?;
        page.metric(&table::NODE_INFO, |series| {
            series.info(&[&self.info.node, &self.info.cluster])
        })?;
        page.metric(&table::START_TIME, |series| {
            let since_epoch = self
                .info
                .started
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            series.gauge(&[], since_epoch.as_secs_f64())
        })?;
        page.metric(&table::CERTIFICATE_NOT_AFTER, |series| {
            self.certificates
                .iter()
                .try_for_each(|(certificate, not_after)| {
                    let known = not_after.get();
                    known.map_or(Ok(()), |seconds| {
                        series.number(&[certificate.name()], seconds)
                    })
                })
        })?;
        page.metric(&table::CERTIFICATE_RELOADS, |series| {
            let mut outcomes = self.reloads.iter();
            outcomes.try_for_each(|(outcome, count)| series.counter(&[outcome.name()], count.get()))
        })?;
        page.metric(&table::QUEUE_DEPTH, |series| {
            let mut queues = self.queues.iter();
            queues.try_for_each(|(queue, depth)| series.gauge(&[queue.name()], depth.get()))
        })
    }
}
