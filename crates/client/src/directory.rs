//! What the client knows about the mesh: its nodes, and where channels are. Everything here is
//! hearsay that is corrected when a node says otherwise.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tetrarch_wire::{
    NodeId,
    frame::{ChannelRoute, MetadataResponse, NodeRoute},
};

/// Routes that are remembered; beyond this the first by name are forgotten.
const MAX_ROUTES: usize = 65_536;

#[derive(Debug, Default)]
struct Known {
    nodes: BTreeMap<NodeId, NodeRoute>,
    routes: BTreeMap<String, ChannelRoute>,
}

/// The nodes and channels that were heard of.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    known: Mutex<Known>,
}

impl Directory {
    /// Takes in what a node says. Its list of nodes is complete. Of a channel, a leader is not
    /// forgotten for one that is merely unknown in the same epoch, and news of an earlier epoch
    /// are old.
    pub(crate) fn learn(&self, response: &MetadataResponse) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !response.nodes.is_empty() {
            known.nodes = response
                .nodes
                .iter()
                .map(|node| (node.node, node.clone()))
                .collect();
        }
        for route in &response.channels {
            known.learn(route);
        }
    }

    /// A node names the leader of a channel.
    pub(crate) fn set_leader(&self, channel: &str, leader: NodeId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known.routes.get_mut(channel) {
            route.leader = Some(leader);
        }
    }

    /// A node that was thought to lead a channel does not, and nobody knows who does.
    pub(crate) fn forget_leader(&self, channel: &str, leader: NodeId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known.routes.get_mut(channel)
            && route.leader == Some(leader)
        {
            route.leader = None;
        }
    }

    pub(crate) fn route(&self, channel: &str) -> Option<ChannelRoute> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.routes.get(channel).cloned()
    }

    pub(crate) fn forget_route(&self, channel: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.routes.remove(channel);
    }

    pub(crate) fn nodes(&self) -> Vec<NodeRoute> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.nodes.values().cloned().collect()
    }

    pub(crate) fn node(&self, id: NodeId) -> Option<NodeRoute> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.nodes.get(&id).cloned()
    }

    pub(crate) fn node_named(&self, name: &str) -> Option<NodeRoute> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.nodes.values().find(|node| node.name == name).cloned()
    }
}

impl Known {
    fn learn(&mut self, news: &ChannelRoute) {
        let mut news = news.clone();
        if let Some(old) = self.routes.get(&news.name)
            && old.uid == news.uid
        {
            if news.epoch < old.epoch {
                return;
            }
            if news.epoch == old.epoch && news.leader.is_none() {
                news.leader = old.leader;
            }
        }
        self.routes.insert(news.name.clone(), news);
        if self.routes.len() > MAX_ROUTES {
            self.routes.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::{ChannelClass, ChannelUid, Epoch, Retention, VoterId};

    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 16])
    }

    fn heard(n: u64, leader: Option<NodeId>) -> MetadataResponse {
        MetadataResponse {
            request: 0,
            channels: vec![ChannelRoute {
                name: "orders".to_owned(),
                uid: ChannelUid::derive("orders", &[0; 16]),
                class: ChannelClass::Quorum,
                retention: Retention::FOREVER,
                epoch: Epoch::new(n, VoterId::NONE),
                leader,
                replicas: Vec::new(),
            }],
            nodes: Vec::new(),
        }
    }

    #[test]
    fn old_epochs_are_ignored_and_a_leader_outlives_ignorance_in_its_own_epoch() {
        let directory = Directory::default();
        let leader = || directory.route("orders").and_then(|route| route.leader);
        directory.learn(&heard(2, Some(node(2))));
        directory.learn(&heard(1, Some(node(1))));
        assert_eq!(leader(), Some(node(2)));
        directory.learn(&heard(2, None));
        assert_eq!(leader(), Some(node(2)));
        directory.learn(&heard(3, None));
        assert_eq!(leader(), None);
        directory.set_leader("orders", node(3));
        directory.forget_leader("orders", node(1));
        assert_eq!(leader(), Some(node(3)));
    }
}
