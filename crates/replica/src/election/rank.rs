//! Who stands first when the leader is gone: the voter with the longest log, by facts that every
//! node can see (protocol §7). Rank only orders the attempts; safety never depends on it.

use tetrarch_wire::{Epoch, NodeId, Seq};

use crate::Replica;

impl Replica {
    /// How many of the voters that may be there come before this one.
    pub(super) fn rank_position(&self) -> u32 {
        let silent = self.following.leader.map(|epoch| epoch.leader);
        let mine = (self.log.durable().rank(), self.node_of(self.me));
        let config = self.config();
        let voters = config.voter_ids().iter().zip(config.voters());
        let others = voters.filter(|(id, _)| {
            **id != self.me && Some(**id) != silent && !self.silence.is_lost(**id)
        });
        let before = others.filter(|(id, voter)| {
            let known = self.thrash.known_tail(**id);
            outranks(known, voter.node, mine)
        });
        u32::try_from(before.count()).unwrap_or(u32::MAX)
    }
}

/// Whether a voter comes before one with the rank `mine`. One whose log is not known ranks by its
/// node alone.
fn outranks(
    known: Option<(Epoch, Seq)>,
    node: NodeId,
    (mine, my_node): ((Epoch, Seq), Option<NodeId>),
) -> bool {
    match known {
        Some(theirs) if theirs != mine => theirs > mine,
        Some(_) | None => my_node.is_some_and(|my_node| node < my_node),
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::VoterId;

    use super::*;

    #[test]
    fn the_longer_log_comes_first_and_then_the_smaller_node() {
        let node = |byte| NodeId::from_bytes([byte; 16]);
        let tail = |n, seq| (Epoch::new(n, VoterId::NONE), Seq::new(seq));
        let mine = (tail(2, 5), Some(node(5)));
        assert!(outranks(Some(tail(2, 6)), node(9), mine));
        assert!(outranks(Some(tail(3, 1)), node(9), mine));
        assert!(!outranks(Some(tail(2, 4)), node(1), mine));
        assert!(outranks(Some(tail(2, 5)), node(1), mine));
        assert!(!outranks(None, node(9), mine));
        assert!(outranks(None, node(1), mine));
    }
}
