//! Asking the node, with a limit on how long and how often at once: a node that is stuck must not
//! take the gateway with it, because then nobody learns that it is stuck.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use tokio::{sync::Semaphore, task, time};

use crate::{
    answer::Answer,
    health::{NodeHealth, Reason},
};

/// The way to the node.
#[derive(Clone)]
pub(crate) struct Gate {
    health: Arc<dyn NodeHealth>,
    patience: Duration,
    at_once: Arc<Semaphore>,
}

impl Gate {
    /// Questions wait for at most `patience`, and at most `at_once` of them are open, those
    /// included that nobody waits for any more.
    pub(crate) fn new(health: Arc<dyn NodeHealth>, patience: Duration, at_once: usize) -> Self {
        Self {
            health,
            patience,
            at_once: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// Asks the node, on a thread that may wait.
    ///
    /// # Errors
    /// An answer that says that the node gave none.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn NodeHealth) -> T + Send + 'static,
    ) -> Result<T, Answer> {
        let asked = time::timeout(self.patience, async {
            let permit = Arc::clone(&self.at_once).acquire_owned().await;
            let health = Arc::clone(&self.health);
            let work = task::spawn_blocking(move || {
                let answer = question(&*health);
                drop(permit);
                answer
            });
            work.await
        });
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => {
                tracing::error!(%failure, "a question about the node's health failed");
                Err(failed())
            }
            Err(_elapsed) => Err(self.silence()),
        }
    }

    fn silence(&self) -> Answer {
        let reason = Reason {
            code: "no_answer",
            what: format!("the node did not answer within {:?}", self.patience),
            remedy: "look at its log and its load; if this lasts, restart it".to_owned(),
        };
        Answer::bad(StatusCode::SERVICE_UNAVAILABLE, "no answer", vec![reason])
    }
}

fn failed() -> Answer {
    let reason = Reason {
        code: "internal",
        what: "the node met an error of its own while answering".to_owned(),
        remedy: "look at its log, and report what it says".to_owned(),
    };
    Answer::bad(StatusCode::INTERNAL_SERVER_ERROR, "failed", vec![reason])
}
