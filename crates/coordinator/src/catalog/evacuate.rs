//! Channels leave drained nodes: whoever leads the catalog moves them to others, a few at a time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tetrarch_replica::placement::{PlacementError, replace};
use tetrarch_wire::{
    ChannelUid, ReplicaRole, Voter,
    frame::{CatalogCommand, ChannelEntry},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{CatalogView, propose};
use crate::{channel::Workers, node::NodeFacts, registry::Registry};

/// How often it is looked whether a channel is to move.
const EVERY: Duration = Duration::from_secs(1);

/// So many channels move at once, those that an operator moves among them: a node that comes reads the
/// log of each from its leader.
const AT_ONCE: usize = 4;

/// The task that does it, as long as this node leads the catalog.
pub(crate) struct Evacuation {
    pub(crate) view: Arc<CatalogView>,
    pub(crate) workers: Workers,
    pub(crate) registry: Arc<Registry>,
    pub(crate) facts: Arc<NodeFacts>,
}

impl Evacuation {
    /// Runs until `stop` turns true.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.evacuate() => {}
        }
    }

    async fn evacuate(&self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stuck = BTreeMap::new();
        loop {
            ticks.tick().await;
            if self.leads_catalog() {
                self.move_some(&mut stuck).await;
            }
        }
    }

    fn leads_catalog(&self) -> bool {
        let meta = self.registry.get(self.view.meta().uid);
        meta.is_some_and(|meta| meta.role() == ReplicaRole::Leader)
    }

    /// Orders as many moves as may be under way. Why a channel cannot be moved is said when that changes.
    async fn move_some(&self, stuck: &mut BTreeMap<ChannelUid, PlacementError>) {
        let (channels, moving) = self.view.to_evacuate();
        let drained = self.view.drained();
        let live = self.facts.placement_nodes(&drained);
        let (mut room, mut still_stuck) = (AT_ONCE.saturating_sub(moving), BTreeMap::new());
        for (entry, set) in channels {
            let wanted: Vec<Voter> = set.wanted().map(|(_, voter)| *voter).collect();
            match replace(entry.uid, &wanted, &entry.filter, &live, &drained) {
                Ok(Some(voters)) if room > 0 => {
                    room -= 1;
                    self.order(&entry, voters).await;
                }
                Ok(Some(_) | None) => {}
                Err(error) => {
                    if stuck.get(&entry.uid) != Some(&error) {
                        tracing::warn!(channel = entry.name, %error, "a channel cannot leave a drained node");
                    }
                    still_stuck.insert(entry.uid, error);
                }
            }
        }
        *stuck = still_stuck;
    }

    async fn order(&self, entry: &ChannelEntry, voters: Vec<Voter>) {
        let command = CatalogCommand::Place {
            uid: entry.uid,
            voters,
        };
        if let Err(error) = propose(&self.workers, &self.view, &command).await {
            tracing::debug!(
                channel = entry.name,
                ?error,
                "a move could not be ordered yet"
            );
        }
    }
}
