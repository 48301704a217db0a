//! A node.

use serde::Serialize;
use tetrarch_wire::frame::NodeStatus;

use super::known;

/// A node as the asked node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeShown {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Whether it is heard.
    pub alive: bool,
    /// How full its disk is.
    pub disk_level: Option<&'static str>,
    /// Free bytes on its disk.
    pub free_bytes: Option<u64>,
    /// Whether it is to hold no channel.
    pub drained: bool,
    /// Where it is.
    pub address: String,
}

impl From<NodeStatus> for NodeShown {
    fn from(node: NodeStatus) -> Self {
        Self {
            name: node.name,
            id: node.id.to_string(),
            alive: node.alive,
            disk_level: node.disk_level.map(|level| level.name()),
            free_bytes: node.free_bytes,
            drained: node.is_drained,
            address: node.address,
        }
    }
}

impl NodeShown {
    /// The headings of [`Self::row`].
    pub const HEADINGS: [&'static str; 5] = ["NODE", "ALIVE", "DISK", ">FREE MiB", "ADDRESS"];

    /// The node as a row of a table.
    #[must_use]
    pub fn row(self) -> Vec<String> {
        let alive = match (self.alive, self.drained) {
            (true, false) => "yes",
            (true, true) => "yes, drained",
            (false, false) => "no",
            (false, true) => "no, drained",
        };
        vec![
            self.name,
            alive.to_owned(),
            known(self.disk_level),
            known(self.free_bytes.map(|bytes| bytes >> 20)),
            self.address,
        ]
    }
}
