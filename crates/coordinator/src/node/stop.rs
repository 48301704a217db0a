//! Stopping in good order: hand over, leave the channels, stop listening, empty the WAL.

use std::time::{Duration, Instant};

use tetrarch_wire::ReplicaRole;

use super::{Node, Threads};
use crate::channel::Command;

/// How often the hand-over is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Node {
    /// Stops the node: channels that it leads are handed over first. Calling it again does
    /// nothing.
    pub async fn stop(&self) {
        if self.stopping.send_replace(true) {
            return;
        }
        self.hand_over().await;
        // Before the connections end: nobody here is to stand for election because of that.
        self.tell_workers(|| Command::LeaveAll).await;
        self.mesh.shutdown().await;
        self.mesh_link.disconnect();
        let Threads {
            wal,
            flush,
            reads,
            scrub,
            tasks,
        } = std::mem::take(&mut *self.threads());
        self.halt.send_replace(true);
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the node did not end well");
            }
        }
        self.writes.stop();
        self.reads.stop();
        if let Some(scrub) = &self.scrub {
            scrub.stop();
        }
        let flusher = self.flush.clone();
        let joined = tokio::task::spawn_blocking(move || {
            let mut ends = Vec::from_iter(wal);
            ends.extend(reads);
            ends.extend(scrub);
            for thread in ends {
                join(thread);
            }
            // Only now is everything in the WAL that will ever be.
            flusher.stop();
            flush.into_iter().for_each(join);
        });
        if let Err(error) = joined.await {
            tracing::error!(%error, "the store's threads were not joined");
        }
        tracing::info!("stopped");
    }

    async fn hand_over(&self) {
        self.tell_workers(|| Command::HandOverAll).await;
        let begun = Instant::now();
        while self.leads_any() && begun.elapsed() < self.drain_timeout {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn tell_workers(&self, command: impl Fn() -> Command) {
        for worker in self.workers.all() {
            if worker.commands.send(command()).await.is_err() {
                tracing::debug!("a worker has stopped already");
            }
        }
    }

    fn leads_any(&self) -> bool {
        self.sessions
            .registry
            .all()
            .iter()
            .any(|handle| handle.role() == ReplicaRole::Leader)
    }
}

fn join(thread: std::thread::JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store panicked");
    }
}
