//! Whether the node can do its work, and if not, why and what helps.

use std::time::{Duration, Instant};

use tetrarch_wire::{ReplicaRole, Seq};

use super::Node;
use crate::NodeError;

/// How often a waiting caller looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What keeps a node from doing its work; empty if nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What is missing, each with what helps.
    pub reasons: Vec<(String, String)>,
}

impl Health {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// One channel, as the node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelHealth {
    /// The node's role in it.
    pub role: ReplicaRole,
    /// Who leads, by name.
    pub leader: Option<String>,
    /// Last committed seq known.
    pub commit: Seq,
    /// Last durable seq.
    pub tail: Seq,
    /// Why it is halted on this node, if it is.
    pub halted: Option<String>,
    /// Why this node does not vote in it, if it may have forgotten what it promised.
    pub limbo: Option<String>,
}

impl Node {
    /// What keeps the node from doing its work.
    #[must_use]
    pub fn health(&self) -> Health {
        let mut health = Health::default();
        if *self.store_failed.borrow() {
            health.add(
                "the store has failed",
                "look at the disk, then start the node again",
            );
        }
        if *self.stopping.borrow() {
            health.add("the node is stopping", "use another node");
        }
        let meta = self.sessions.catalog.meta();
        match self.sessions.registry.get(meta.uid) {
            None => health.add(
                "the node does not hold the catalog",
                "only the founding nodes of a mesh serve in this version",
            ),
            Some(handle) => {
                let leadership = handle.leadership();
                if let Some(halted) = leadership.halted {
                    health.add(
                        &format!("the catalog is halted: {halted}"),
                        "see the node's log",
                    );
                } else if leadership.leader.is_none() {
                    health.add(
                        "the catalog has no leader",
                        "start more nodes, until a majority of the founding ones runs",
                    );
                } else if self.sessions.require_catalog().is_err() {
                    health.add("the catalog is being read", "wait a moment");
                }
            }
        }
        health
    }

    /// Waits until the node can do its work.
    ///
    /// # Errors
    /// If it cannot within `timeout`; the error says what is missing.
    pub async fn wait_ready(&self, timeout: Duration) -> Result<(), NodeError> {
        let begun = Instant::now();
        loop {
            let health = self.health();
            if health.is_ready() {
                return Ok(());
            }
            if begun.elapsed() >= timeout {
                let missing: Vec<String> = health.reasons.into_iter().map(|(why, _)| why).collect();
                return Err(NodeError::NotReady {
                    waited: timeout,
                    missing: missing.join("; "),
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What the node knows of a channel; `None` if it does not hold it.
    #[must_use]
    pub fn channel_health(&self, channel: &str) -> Option<ChannelHealth> {
        let entry = self.sessions.catalog.find(channel)?;
        let handle = self.sessions.registry.get(entry.uid)?;
        let leadership = handle.leadership();
        let leader = leadership
            .leader
            .and_then(|l| self.sessions.facts.node_of(entry.uid, l));
        Some(ChannelHealth {
            role: handle.role(),
            leader: leader.map(|node| self.sessions.facts.name_of(node)),
            commit: handle.commit(),
            tail: handle.tail(),
            halted: leadership.halted,
            limbo: leadership.limbo,
        })
    }
}

impl Health {
    fn add(&mut self, reason: &str, remedy: &str) {
        self.reasons.push((reason.to_owned(), remedy.to_owned()));
    }
}
