//! Which of two connections between the same two nodes stays. Both ends decide by the same rule
//! from the same facts, so they agree without another word: a new start of the peer replaces what
//! is left of the old one; a dialler dials again only after it has lost its connection, so its
//! newer dial stays; and when both dialled, the dial of the lower node id stays.

use tetrarch_wire::{Boot, NodeId, StoreId};

/// What is known of a connection when it is compared with another one to the same peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The peer's store.
    pub(super) store: StoreId,
    /// The peer's start.
    pub(super) boot: Boot,
    /// The node that dialled.
    pub(super) dialler: NodeId,
    /// The lower one of the two nodes.
    pub(super) lower: NodeId,
}

impl Claim {
    /// Whether both are to the same start of the same store.
    pub(super) fn is_same_start(self, other: Self) -> bool {
        self.store == other.store && self.boot == other.boot
    }
}

/// What becomes of a connection that stands when another one wants its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The newcomer is from a later start of the peer: what stands is dead.
    Supersede,
    /// The newcomer stays; what stands may finish what is on its way.
    Replace,
    /// What stands stays.
    Keep,
}

/// Decides between a connection that stands and a newcomer.
pub(super) fn settle(standing: Claim, newcomer: Claim) -> Verdict {
    if newcomer.store != standing.store || newcomer.boot > standing.boot {
        Verdict::Supersede
    } else if newcomer.boot < standing.boot {
        Verdict::Keep
    } else if newcomer.dialler == standing.dialler || newcomer.dialler == newcomer.lower {
        Verdict::Replace
    } else {
        Verdict::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: NodeId = NodeId::from_bytes([1; 16]);
    const HIGH: NodeId = NodeId::from_bytes([2; 16]);

    fn claim(store: u8, boot: u64, dialler: NodeId) -> Claim {
        Claim {
            store: StoreId::from_bytes([store; 16]),
            boot: Boot::new(boot),
            dialler,
            lower: LOW,
        }
    }

    #[test]
    fn the_dial_of_the_lower_node_stays_whichever_stood_first() {
        let (low, high) = (claim(1, 1, LOW), claim(1, 1, HIGH));
        assert_eq!(settle(high, low), Verdict::Replace);
        assert_eq!(settle(low, high), Verdict::Keep);
    }

    #[test]
    fn a_dialler_that_dials_again_has_lost_its_connection() {
        for dialler in [LOW, HIGH] {
            let dial = claim(1, 1, dialler);
            assert_eq!(settle(dial, dial), Verdict::Replace);
        }
    }

    #[test]
    fn a_later_start_or_another_store_supersedes_whoever_dialled() {
        for (old, new) in [(LOW, LOW), (LOW, HIGH), (HIGH, LOW), (HIGH, HIGH)] {
            assert_eq!(
                settle(claim(1, 1, old), claim(1, 2, new)),
                Verdict::Supersede
            );
            assert_eq!(settle(claim(1, 2, old), claim(1, 1, new)), Verdict::Keep);
            assert_eq!(
                settle(claim(1, 9, old), claim(2, 1, new)),
                Verdict::Supersede
            );
        }
    }
}
