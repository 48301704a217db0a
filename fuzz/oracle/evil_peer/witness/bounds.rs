//! Memory: whatever is said, and however often, what waits inside a replica stays within what its
//! settings allow (I24).

use tetrarch_wire::{ReplicaRole, limits};

use super::Witness;
use crate::evil_peer::node::Node;

/// Kinds of messages that may be held back for each voter at the same time.
const KINDS: usize = 16;

impl Witness {
    pub(super) fn settles_bounds(&self, node: &Node) {
        let replica = &node.replica;
        let settings = &node.settings;
        let queues = replica.queues();
        let voters = self
            .config()
            .voters()
            .len()
            .max(self.genesis.voters().len());
        let asked = self.answers.waiting();
        let held = queues.held.saturating_sub(asked);
        assert!(held <= KINDS * voters, "I24: {held} messages are held back");
        assert!(
            queues.reads <= voters + 1,
            "I24: {} reads are under way",
            queues.reads
        );
        assert!(
            queues.unconfirmed <= settings.unacked_requests,
            "I24: {} answers wait to be confirmed",
            queues.unconfirmed
        );
        assert!(
            queues.unacked_requests <= settings.unacked_requests,
            "I24: {} requests wait",
            queues.unacked_requests
        );
        // Beside what clients sent: the first batch of the epoch, a trim point, an expiry.
        assert!(
            queues.unacked_batches <= settings.unacked_batches + 3,
            "I24: {} batches wait",
            queues.unacked_batches
        );
        assert!(
            queues.unacked_bytes <= settings.unacked_bytes + 4 * limits::BATCH_OVERHEAD,
            "I24: {} bytes wait",
            queues.unacked_bytes
        );
        let own = if self.role == ReplicaRole::Leader {
            queues.unacked_bytes
        } else {
            0
        };
        let most = settings.recent_bytes + queues.undurable_bytes + own;
        assert!(
            replica.recent_bytes() <= most,
            "I24: {} bytes of recent batches, of {most}",
            replica.recent_bytes()
        );
        let is_idle = self.role != ReplicaRole::Leader && queues.held == 0;
        if is_idle {
            self.all_is_answered();
        }
    }
}
