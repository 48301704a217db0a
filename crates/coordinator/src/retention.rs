//! Retention: from time to time, for each channel that this node leads, the log says what the
//! channel's limits would drop, and the leader proposes it. Every replica drops it when the trim
//! point is committed, so that all logs begin at the same seq.

use std::{sync::Arc, time::Duration};

use tetrarch_wire::{ChannelUid, ReplicaRole, Retention, Seq};
use tokio::sync::watch;

use crate::{
    catalog::CatalogView,
    channel::{Command, Workers},
    clock,
    registry::{ChannelHandle, Registry},
    store::ReadHandle,
};

/// How often limits are looked at.
const INTERVAL: Duration = Duration::from_secs(5);

/// The task that looks at limits.
pub(crate) struct RetentionSweep {
    pub(crate) registry: Arc<Registry>,
    pub(crate) catalog: Arc<CatalogView>,
    pub(crate) reads: ReadHandle,
    pub(crate) workers: Workers,
}

impl RetentionSweep {
    /// Runs until `stop` turns true.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            self.sweep().await;
        }
    }

    async fn sweep(&self) {
        for worker in self.workers.all() {
            if worker.commands.send(Command::SaveSnapshots).await.is_err() {
                return;
            }
        }
        let meta = self.catalog.meta().uid;
        for handle in self.registry.all() {
            self.note_log_start(&handle).await;
            if handle.uid == meta || handle.role() != ReplicaRole::Leader {
                continue;
            }
            let Some(entry) = self.catalog.get(handle.uid) else {
                continue;
            };
            let upto = self.candidate(handle.uid, &entry.retention);
            if let Some(upto) = upto {
                self.order(
                    Command::Trim {
                        channel: handle.uid,
                        upto,
                    },
                    handle.uid,
                )
                .await;
            }
        }
    }

    /// Tells a replica when the log has dropped its front: the trim is carried out by the flusher
    /// in its own time.
    async fn note_log_start(&self, handle: &ChannelHandle) {
        let log_start = self.reads.reader().log_start(handle.uid);
        if let Some(log_start) = log_start.filter(|start| start.seq.next() > handle.log_start()) {
            let order = Command::Trimmed {
                channel: handle.uid,
                log_start,
            };
            self.order(order, handle.uid).await;
        }
    }

    fn candidate(&self, channel: ChannelUid, retention: &Retention) -> Option<Seq> {
        self.reads
            .reader()
            .retention_candidate(channel, retention, clock::wall_ms())
    }

    async fn order(&self, command: Command, channel: ChannelUid) {
        if self
            .workers
            .of(channel)
            .commands
            .send(command)
            .await
            .is_err()
        {
            tracing::debug!("the node is stopping");
        }
    }
}
