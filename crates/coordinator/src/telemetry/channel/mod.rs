//! One channel, as it is measured. Whoever works on a channel holds a [`ChannelTelemetry`]; when
//! the last one is dropped the channel is closed and its series are gone.

mod cells;
mod lag;
mod set;
mod show;
mod summary;

use std::sync::Arc;

use tetrarch_fsm::StateTransitionError;
use tetrarch_replica::{HaltReason, RoleChange};

pub use cells::Progress;
pub use lag::{Lag, ReplicaTelemetry, SubscriptionTelemetry};
pub(super) use set::ChannelSet;

use super::{labels::halt_word, roles::Roles};
use cells::Cells;
use lag::{LagCells, SubscriptionCells};
use set::OpenId;

/// Where one channel's measurements are written. Cloning it yields another handle on the same
/// channel.
#[derive(Clone, Debug)]
pub struct ChannelTelemetry {
    opened: Arc<Opened>,
}

#[derive(Debug)]
struct Opened {
    id: OpenId,
    cells: Arc<Cells>,
    channels: Arc<ChannelSet>,
    roles: Arc<Roles>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.channels.close(self.id);
    }
}

impl ChannelTelemetry {
    pub(super) fn open(name: &str, channels: Arc<ChannelSet>, roles: Arc<Roles>) -> Self {
        let (id, cells) = channels.open(name);
        Self {
            opened: Arc::new(Opened {
                id,
                cells,
                channels,
                roles,
            }),
        }
    }

    /// The role has changed: counted, shown, and written to the log. What was known of the lag of
    /// others is forgotten, because it was known in the old role.
    pub fn transition(&self, change: &RoleChange) {
        let cells = self.cells();
        cells.set_role(change.transition.to(), change.epoch);
        for replica in cells.replicas.members() {
            replica.forget();
        }
        self.opened.roles.transition(&cells.name, change);
    }

    /// A transition that does not exist was attempted: counted, and written to the log as an
    /// error.
    pub fn transition_rejected(&self, error: &StateTransitionError) {
        self.opened.roles.rejected(&self.cells().name, error);
    }

    /// The channel takes no part any more on this node.
    pub fn halted(&self, reason: &HaltReason) {
        let word = halt_word(reason);
        self.cells().halt(word);
        tracing::error!(channel = self.cells().name, reason = word, detail = ?reason, "channel halted");
    }

    /// Whether the node may have forgotten what it promised in the channel.
    pub fn limbo(&self, is_in_limbo: bool) {
        self.cells().set_limbo(is_in_limbo);
    }

    /// So many forks with so many events are kept on this node.
    pub fn forks(&self, forks: u64, events: u64) {
        self.cells().set_forks(forks, events);
    }

    /// So many events were cut off the log on this node, and are in a fork.
    pub fn sealed(&self, events: u64) {
        self.cells().sealed_events.add(events);
    }

    /// This node leads and has taken a fork into the log: so many events were appended, and so many were
    /// there.
    pub fn collected(&self, republished: u64, known: u64) {
        self.cells().republished_events.add(republished);
        self.cells().known_events.add(known);
    }

    /// Where the channel stands after a step.
    pub fn progress(&self, progress: &Progress) {
        self.cells().progress(progress);
    }

    /// Batches were appended to the log on this node.
    pub fn appended(&self, events: u64, bytes: u64) {
        self.cells().appended_events.add(events);
        self.cells().appended_bytes.add(bytes);
    }

    /// Batches were sent to a subscriber or reader.
    pub fn delivered(&self, events: u64, bytes: u64) {
        self.cells().delivered_events.add(events);
        self.cells().delivered_bytes.add(bytes);
    }

    /// Begins to show how far a replica, named by its node, is behind.
    #[must_use]
    pub fn replica(&self, node: &str) -> ReplicaTelemetry {
        ReplicaTelemetry(self.cells().replicas.join(LagCells::new(node.to_owned())))
    }

    /// Begins to count a subscription of a client.
    #[must_use]
    pub fn subscription(&self, client: &str) -> SubscriptionTelemetry {
        let cells = SubscriptionCells::new(client.to_owned());
        SubscriptionTelemetry(self.cells().subscriptions.join(cells))
    }

    fn cells(&self) -> &Cells {
        &self.opened.cells
    }
}
