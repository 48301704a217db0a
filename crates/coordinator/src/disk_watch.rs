//! Looking at the disk once a second: how full it is and whether it answers. Channels withdraw from a
//! disk that is too full and come back when there is room; beats say so to the other nodes. A node
//! whose disk does not answer says nothing of its channels.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tetrarch_log::{FreeSpace, LogError, StoreOptions};
use tetrarch_replica::{DiskGauge, beat::OwnFacts};
use tokio::sync::watch;

use crate::{
    beats::BeatHandle,
    channel::{Command, Workers},
    clock,
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
    pub(crate) workers: Workers,
    pub(crate) facts: Arc<NodeFacts>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) data_dir: PathBuf,
    pub(crate) options: StoreOptions,
    /// For how long there must be room again before a level is left.
    pub(crate) dwell: Duration,
}

impl DiskWatch {
    /// Runs until `stop` turns true.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut gauge = None;
        loop {
            if let Some(space) = self.space().await {
                self.tell(&mut gauge, space).await;
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// `None` if nobody can tell; that is in the log.
    async fn space(&self) -> Option<FreeSpace> {
        let reader = self.reads.reader().clone();
        let (dir, most) = (self.data_dir.clone(), self.options.max_bytes);
        let looked = tokio::task::spawn_blocking(move || -> Result<_, LookError> {
            let space = reader.free_space()?;
            Ok(match most {
                Some(most) => within(space, most, used_below(&dir)?),
                None => space,
            })
        });
        match looked.await {
            Ok(Ok(space)) => Some(space),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the disk does not say how full it is");
                None
            }
            Err(error) => {
                tracing::error!(%error, "the look at the disk ended badly");
                None
            }
        }
    }

    async fn tell(&self, gauge: &mut Option<DiskGauge>, space: FreeSpace) {
        let gauge = gauge.get_or_insert_with(|| {
            DiskGauge::new(self.options.wal_file_bytes_on(space.total), self.dwell)
        });
        let before = gauge.level();
        if self.writes.take_no_room() {
            gauge.refused();
        }
        let level = gauge.look(space.available, space.total, clock::moment());
        if level != before {
            let (free, size) = (space.available, space.total);
            tracing::warn!(
                level = level.name(),
                free,
                size,
                "the level of the disk has changed"
            );
        }
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
        let stall = self.writes.stalled_for().as_millis();
        self.beats.set_own(OwnFacts {
            disk_level: level,
            free_bytes: space.available,
            wal_stall_ms: u32::try_from(stall).unwrap_or(u32::MAX),
        });
        for worker in self.workers.all() {
            if worker
                .commands
                .send(Command::DiskLevel(level))
                .await
                .is_err()
            {
                tracing::debug!("the node is stopping");
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Store(#[from] LogError),
    #[error("the data directory cannot be measured: {0}")]
    Measure(#[from] io::Error),
}

/// What is left of `space` for a store that takes `used` bytes and is to take `most`.
fn within(space: FreeSpace, most: u64, used: u64) -> FreeSpace {
    FreeSpace {
        available: space.available.min(most.saturating_sub(used)),
        total: space.total.min(most),
    }
}

/// Bytes of all files below a directory. Files come and go meanwhile.
fn used_below(dir: &Path) -> io::Result<u64> {
    let mut used = 0;
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(found) if found.is_dir() => open.push(entry.path()),
                Ok(found) => used += found.len(),
            }
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_a_smaller_disk() {
        let space = |available, total| FreeSpace { available, total };
        let disk = space(500, 1_000);
        assert_eq!(within(disk, 300, 100), space(200, 300));
        assert_eq!(within(disk, 300, 400), space(0, 300));
        assert_eq!(within(disk, 5_000, 100), space(500, 1_000));
    }

    #[test]
    fn everything_below_a_directory_counts() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("a"), [0; 10]).unwrap();
        std::fs::write(dir.path().join("sub/b"), [0; 7]).unwrap();
        assert_eq!(used_below(dir.path()).unwrap(), 17);
        assert_eq!(used_below(&dir.path().join("gone")).unwrap(), 0);
    }
}
