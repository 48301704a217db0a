//! What the node tells over HTTP, also before it has started.

use std::sync::{Arc, OnceLock};

use tetrarch_coordinator::Node;
use tetrarch_gateway::{ChannelHealth, ChannelState, NodeHealth, Reason};
use tetrarch_wire::ReplicaRole;

/// The node, as soon as there is one.
#[derive(Default)]
pub(super) struct Served {
    node: OnceLock<Arc<Node>>,
}

impl Served {
    /// There is a node from now on.
    pub(super) fn set(&self, node: Arc<Node>) {
        if self.node.set(node).is_err() {
            tracing::error!("a process serves one node");
        }
    }
}

impl NodeHealth for Served {
    fn live(&self) -> Result<(), Vec<Reason>> {
        Ok(())
    }

    fn ready(&self) -> Result<(), Vec<Reason>> {
        let Some(node) = self.node.get() else {
            return Err(vec![Reason {
                code: "starting",
                what: "the store is being recovered".into(),
                remedy: "wait; the log tells how far it is".into(),
            }]);
        };
        let reasons = node.health().reasons;
        if reasons.is_empty() {
            return Ok(());
        }
        let reason = |(what, remedy)| Reason {
            code: "not_ready",
            what,
            remedy,
        };
        Err(reasons.into_iter().map(reason).collect())
    }

    fn channel_health(&self, name: &str) -> Option<ChannelHealth> {
        let known = self.node.get()?.channel_health(name)?;
        let reasons: Vec<_> = why_not(&known).into_iter().collect();
        let behind = known.commit.since(known.tail);
        let state = match known.role {
            _ if !reasons.is_empty() => ChannelState::Unavailable,
            ReplicaRole::Replica if behind > 0 => ChannelState::CatchingUp {
                events_behind: Some(behind),
                seconds_left: None,
            },
            _ => ChannelState::Serving,
        };
        Some(ChannelHealth {
            channel: name.to_owned(),
            state,
            role: known.role.name(),
            leader: known.leader,
            reasons,
        })
    }

    fn metrics(&self) -> String {
        self.node
            .get()
            .map_or_else(|| "# EOF\n".to_owned(), |node| node.metrics())
    }
}

fn why_not(channel: &tetrarch_coordinator::ChannelHealth) -> Option<Reason> {
    if let Some(halted) = &channel.halted {
        return Some(Reason {
            code: "halted",
            what: format!("the channel is halted on this node: {halted}"),
            remedy: "other nodes serve it; see this node's log".into(),
        });
    }
    channel.leader.is_none().then(|| Reason {
        code: "no_leader",
        what: "nobody is known to lead the channel".into(),
        remedy: "start more of its nodes, until a majority runs".into(),
    })
}
