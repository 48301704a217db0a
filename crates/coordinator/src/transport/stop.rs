//! The one signal that ends everything a mesh started.

use tokio::sync::watch;

/// Gives the signal.
#[derive(Debug)]
pub(super) struct StopSource(watch::Sender<bool>);

/// Sees the signal.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<bool>);

impl StopSource {
    /// Not given yet.
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Gives the signal. Doing so again changes nothing.
    pub(super) fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was given.
    pub(super) fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Another one who sees it.
    pub(super) fn watcher(&self) -> Stop {
        Stop(self.0.subscribe())
    }
}

impl Stop {
    /// Waits for the signal. Cancel safe.
    pub(super) async fn stopped(&self) {
        // A source that is gone is as good as a signal.
        if self.0.clone().wait_for(|stopped| *stopped).await.is_err() {
            tracing::trace!("stopped without a signal");
        }
    }
}
