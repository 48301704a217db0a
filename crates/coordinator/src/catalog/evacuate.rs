//! Channels leave nodes that are drained, that have been gone for long, or whose disk was replaced:
//! whoever leads the catalog moves them to others, a few at a time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tetrarch_replica::placement::{Absences, PlacementError, VoterState, replace};
use tetrarch_wire::{ChannelClass, ChannelUid, ReplicaRole, Voter, frame::CatalogCommand};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{CatalogView, propose, view::Evacuated};
use crate::{channel::Workers, clock, node::NodeFacts, registry::Registry};

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
    /// How long a node may be gone before its channels leave it; for ever without one.
    pub(crate) replace_after: Option<Duration>,
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
        let mut turn = None;
        loop {
            ticks.tick().await;
            if self.leads_catalog() {
                let turn = turn.get_or_insert_with(|| Turn::new(self.replace_after));
                self.move_some(turn).await;
            } else {
                turn = None;
            }
        }
    }

    fn leads_catalog(&self) -> bool {
        let meta = self.registry.get(self.view.meta().uid);
        meta.is_some_and(|meta| meta.role() == ReplicaRole::Leader)
    }

    /// Orders as many moves as may be under way. Why a channel cannot be moved is said when that changes.
    async fn move_some(&self, turn: &mut Turn) {
        let drained = self.view.drained();
        let live = self.facts.placement_nodes(&drained);
        let stores = self.facts.stores();
        let now = clock::moment();
        let (channels, moving) = self.view.to_evacuate(|voter| {
            if turn.absences.is_lost(voter, &stores, now) {
                VoterState::Lost
            } else if drained.contains(&voter.node) {
                VoterState::Drained
            } else {
                VoterState::Stays
            }
        });
        let (mut room, mut stuck) = (AT_ONCE.saturating_sub(moving), BTreeMap::new());
        for channel in channels {
            let replaced = match channel.class {
                ChannelClass::Quorum => {
                    replace(channel.uid, &channel.wanted, &channel.filter, &live)
                }
                ChannelClass::Available(_) => Err(PlacementError::Class),
            };
            match replaced {
                Ok(Some(voters)) if channel.is_moving => self.order(channel, voters).await,
                Ok(Some(voters)) if room > 0 => {
                    room -= 1;
                    self.order(channel, voters).await;
                }
                Ok(Some(_) | None) => {}
                Err(error) => {
                    if turn.stuck.get(&channel.uid) != Some(&error) {
                        tracing::warn!(
                            channel = channel.name,
                            %error,
                            "a channel cannot leave a node that is drained or lost"
                        );
                    }
                    stuck.insert(channel.uid, error);
                }
            }
        }
        turn.stuck = stuck;
    }

    async fn order(&self, channel: Evacuated, voters: Vec<Voter>) {
        let Evacuated { uid, name, .. } = channel;
        let lost = channel.wanted.iter();
        let lost = lost.filter(|(_, state)| *state == VoterState::Lost);
        for (voter, _) in lost {
            let node = self.facts.name_of(voter.node);
            tracing::warn!(channel = name, node, store = %voter.store, "a lost replica is replaced");
        }
        let command = CatalogCommand::Place { uid, voters };
        if let Err(error) = propose(&self.workers, &self.view, &command).await {
            tracing::debug!(channel = name, ?error, "a move could not be ordered yet");
        }
    }
}

/// What is known while this node leads the catalog.
struct Turn {
    absences: Absences,
    /// Channels that cannot be moved, and why.
    stuck: BTreeMap<ChannelUid, PlacementError>,
}

impl Turn {
    fn new(replace_after: Option<Duration>) -> Self {
        Self {
            absences: Absences::new(replace_after),
            stuck: BTreeMap::new(),
        }
    }
}
