//! Looking at the disk once a second: how full it is and whether it answers. What follows from it
//! is said in the node's beats; a node whose disk does not answer says nothing of its channels.

use std::{sync::Arc, time::Duration};

use tetrarch_replica::{beat::OwnFacts, disk_level};
use tokio::sync::watch;

use crate::{
    beats::BeatHandle,
    node::{DiskFacts, NodeFacts},
    store::{ReadHandle, WriteHandle},
    telemetry::{DiskSample, Telemetry},
};

/// How often the disk is looked at (protocol §12).
const INTERVAL: Duration = Duration::from_secs(1);

/// The task that looks at the disk.
pub(crate) struct DiskWatch {
    pub(crate) reads: ReadHandle,
    pub(crate) writes: WriteHandle,
    pub(crate) beats: BeatHandle,
    pub(crate) facts: Arc<NodeFacts>,
    pub(crate) telemetry: Arc<Telemetry>,
}

impl DiskWatch {
    /// Runs until `stop` turns true.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            self.look().await;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    async fn look(&self) {
        let reader = self.reads.reader().clone();
        let space = match tokio::task::spawn_blocking(move || reader.free_space()).await {
            Ok(Ok(space)) => space,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the disk does not say how full it is");
                return;
            }
            Err(error) => {
                tracing::error!(%error, "the look at the disk ended badly");
                return;
            }
        };
        let level = disk_level(space.available, space.total);
        let stall = self.writes.stalled_for().as_millis();
        self.telemetry.store().disk(&DiskSample {
            level,
            free: space.available,
            size: space.total,
        });
        self.facts.note_disk(
            self.facts.node(),
            DiskFacts {
                level,
                free_bytes: space.available,
            },
        );
        self.beats.set_own(OwnFacts {
            disk_level: level,
            free_bytes: space.available,
            wal_stall_ms: u32::try_from(stall).unwrap_or(u32::MAX),
        });
    }
}
