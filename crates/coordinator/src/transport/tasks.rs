//! The tasks of a mesh. Each belongs to a group, which is waited for when the mesh stops, so none
//! outlives it.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{runtime, task::JoinSet, time::timeout};

/// A group of tasks that takes more in until it is stopped.
#[derive(Debug)]
pub(super) struct TaskGroup {
    runtime: runtime::Handle,
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl TaskGroup {
    /// An empty group, whose tasks will run on the current runtime.
    pub(super) fn new() -> Self {
        Self {
            runtime: runtime::Handle::current(),
            tasks: Mutex::new(Some(JoinSet::new())),
        }
    }

    /// Starts a task. After [`Self::stop`] it does nothing and says `false`.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tasks) = tasks.as_mut() else {
            return false;
        };
        while let Some(ended) = tasks.try_join_next() {
            report(ended);
        }
        tasks.spawn_on(task, &self.runtime);
        true
    }

    /// Takes nothing in any more, waits for all tasks to end, and aborts those that have not ended
    /// in time.
    pub(super) async fn stop(&self, patience: Duration) {
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            tasks.take()
        };
        let Some(mut tasks) = tasks else { return };
        if timeout(patience, join_all(&mut tasks)).await.is_err() {
            tracing::warn!(left = tasks.len(), "tasks of the mesh did not end in time");
            tasks.shutdown().await;
        }
    }

    /// How many tasks have not ended, or have not been noticed to.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.as_ref().map_or(0, JoinSet::len)
    }
}

/// Waits until every task of a set has ended.
pub(super) async fn join_all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        report(ended);
    }
}

/// Says so if a task did not end by itself.
pub(super) fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a task of the mesh panicked");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use super::*;

    #[tokio::test]
    async fn stopping_waits_and_then_aborts() {
        let group = TaskGroup::new();
        let finished = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&finished);
        assert!(group.spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            seen.store(true, Ordering::Relaxed);
        }));
        assert!(group.spawn(pending()));
        assert_eq!(group.len(), 2);
        group.stop(Duration::from_millis(100)).await;
        assert!(finished.load(Ordering::Relaxed));
        assert_eq!(group.len(), 0);
    }

    #[tokio::test]
    async fn a_stopped_group_starts_nothing() {
        let group = TaskGroup::new();
        group.stop(Duration::ZERO).await;
        assert!(!group.spawn(async { panic!("must not run") }));
    }
}
