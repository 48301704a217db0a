//! Voters that nobody waits for any more: their node has been away for too long, or came back with
//! another disk.

use std::{collections::BTreeMap, time::Duration};

use tetrarch_wire::{NodeId, StoreId, Voter};

use crate::Moment;

/// Since when nodes that hold channels have not been heard. One entry for each that is missing.
#[derive(Clone, Debug)]
pub struct Absences {
    patience: Option<Duration>,
    missing_since: BTreeMap<NodeId, Moment>,
}

impl Absences {
    /// A node may be missing for `patience`, or for ever without one.
    #[must_use]
    pub const fn new(patience: Option<Duration>) -> Self {
        Self {
            patience,
            missing_since: BTreeMap::new(),
        }
    }

    /// Whether `voter` is lost, if `live` are the nodes that are heard now and the stores they have. A node
    /// with another store cannot vote as this voter any more, however long it was away; one that is missing
    /// counts from the first time that it was asked for.
    pub fn is_lost(
        &mut self,
        voter: &Voter,
        live: &BTreeMap<NodeId, StoreId>,
        now: Moment,
    ) -> bool {
        if let Some(store) = live.get(&voter.node) {
            self.missing_since.remove(&voter.node);
            return *store != voter.store;
        }
        let since = *self.missing_since.entry(voter.node).or_insert(now);
        let missing = now.as_nanos().saturating_sub(since.as_nanos());
        self.patience
            .is_some_and(|patience| Duration::from_nanos(missing) >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn voter(store: u8) -> Voter {
        Voter {
            node: NodeId::from_bytes([1; 16]),
            store: StoreId::from_bytes([store; 16]),
        }
    }

    fn heard(voter: Voter) -> BTreeMap<NodeId, StoreId> {
        [(voter.node, voter.store)].into()
    }

    fn after(seconds: u64) -> Moment {
        Moment::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_node_is_lost_when_it_was_away_for_long_without_a_break() {
        let mut absences = Absences::new(Some(PATIENCE));
        let nobody = BTreeMap::new();
        assert!(!absences.is_lost(&voter(1), &nobody, after(1_000)));
        assert!(!absences.is_lost(&voter(1), &nobody, after(1_059)));
        assert!(absences.is_lost(&voter(1), &nobody, after(1_060)));
        assert!(!absences.is_lost(&voter(1), &heard(voter(1)), after(1_061)));
        assert!(!absences.is_lost(&voter(1), &nobody, after(1_062)));
        assert!(!absences.is_lost(&voter(1), &nobody, after(1_121)));
        assert!(absences.is_lost(&voter(1), &nobody, after(1_122)));
    }

    #[test]
    fn a_node_with_another_disk_is_not_that_voter_any_more() {
        let mut absences = Absences::new(None);
        assert!(absences.is_lost(&voter(1), &heard(voter(2)), after(1)));
        assert!(!absences.is_lost(&voter(2), &heard(voter(2)), after(1)));
    }

    #[test]
    fn without_a_limit_a_node_may_be_away_for_ever() {
        let mut absences = Absences::new(None);
        let nobody = BTreeMap::new();
        assert!(!absences.is_lost(&voter(1), &nobody, after(0)));
        assert!(!absences.is_lost(&voter(1), &nobody, after(u32::MAX.into())));
    }
}
