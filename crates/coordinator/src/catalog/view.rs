//! The copy of the catalog that everybody on the node reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use tetrarch_replica::{
    catalog::{AssignmentChange, Catalog, CatalogChange, CatalogPage},
    membership::ReplicaSet,
    placement::VoterState,
};
use tetrarch_wire::{
    ChannelClass, ChannelUid, NodeId, Seq, Voter, VoterId,
    frame::{CatalogCommand, ChannelEntry, LabelFilter},
};
use tokio::sync::watch;

/// How many outcomes are kept for those who proposed the commands.
const OUTCOMES: usize = 1_024;

/// The catalog up to some seq of `__meta`, and what became of the latest commands.
pub(crate) struct CatalogView {
    state: RwLock<State>,
    applied: watch::Sender<Seq>,
    /// This node has once known everything that was committed, since it started.
    is_settled: AtomicBool,
    meta: ChannelEntry,
}

/// A channel of which not all voters stay where they are.
pub(super) struct Evacuated {
    pub(super) uid: ChannelUid,
    pub(super) name: String,
    pub(super) class: ChannelClass,
    pub(super) filter: LabelFilter,
    pub(super) wanted: Vec<(Voter, VoterState)>,
    /// An earlier order is not carried out yet.
    pub(super) is_moving: bool,
}

#[derive(Default)]
struct State {
    catalog: Catalog,
    outcomes: BTreeMap<Seq, CatalogChange>,
}

impl CatalogView {
    /// An empty catalog; `meta` is the channel it will be read from.
    pub(crate) fn new(meta: ChannelEntry) -> Self {
        Self {
            state: RwLock::default(),
            applied: watch::Sender::new(Seq::ZERO),
            is_settled: AtomicBool::new(false),
            meta,
        }
    }

    /// The catalog's own channel.
    pub(crate) fn meta(&self) -> &ChannelEntry {
        &self.meta
    }

    /// The channel of that name; the catalog's own channel has one, too.
    pub(crate) fn find(&self, name: &str) -> Option<ChannelEntry> {
        if name == self.meta.name {
            return Some(self.meta.clone());
        }
        self.read().catalog.by_name(name).cloned()
    }

    /// The channel with that uid.
    pub(crate) fn get(&self, uid: ChannelUid) -> Option<ChannelEntry> {
        if uid == self.meta.uid {
            return Some(self.meta.clone());
        }
        self.read().catalog.get(uid).cloned()
    }

    /// Who holds the channel with that uid; `None` for the catalog's own, which its genesis says.
    pub(crate) fn replica_set(&self, uid: ChannelUid) -> Option<ReplicaSet> {
        self.read().catalog.replica_set(uid).cloned()
    }

    /// Who holds a channel. The catalog's own stays on the voters of its genesis.
    pub(crate) fn holders_of(&self, entry: &ChannelEntry) -> ReplicaSet {
        let set = self.replica_set(entry.uid);
        set.unwrap_or_else(|| ReplicaSet::genesis(&entry.genesis))
    }

    /// Whether a channel was deleted, as far as that is remembered.
    pub(crate) fn was_deleted(&self, channel: ChannelUid) -> bool {
        self.read().catalog.was_deleted(channel)
    }

    /// The nodes that are to hold no channel.
    pub(crate) fn drained(&self) -> BTreeSet<NodeId> {
        self.read().catalog.drained().clone()
    }

    /// Channels with voters that do not all stay where they are, as `state_of` says, by name; and how many
    /// channels are moving. One that moves anyway is among them only if a voter is lost to which it moves.
    pub(super) fn to_evacuate(
        &self,
        mut state_of: impl FnMut(&Voter) -> VoterState,
    ) -> (Vec<Evacuated>, usize) {
        let state = self.read();
        let (mut evacuated, mut moving) = (Vec::new(), 0);
        for entry in state.catalog.iter() {
            let Some(set) = state.catalog.replica_set(entry.uid) else {
                continue;
            };
            let is_moving = !set.is_settled();
            moving += usize::from(is_moving);
            let wanted = set.wanted();
            let wanted: Vec<(Voter, VoterState)> =
                wanted.map(|(_, voter)| (*voter, state_of(voter))).collect();
            let leaves = wanted.iter().any(|(_, state)| match state {
                VoterState::Stays => false,
                VoterState::Drained => !is_moving,
                VoterState::Lost => true,
            });
            if leaves {
                let (uid, name, filter) = (entry.uid, entry.name.clone(), entry.filter.clone());
                evacuated.push(Evacuated {
                    uid,
                    name,
                    class: entry.genesis.class,
                    filter,
                    wanted,
                    is_moving,
                });
            }
        }
        (evacuated, moving)
    }

    /// Channels by name, after a name.
    pub(crate) fn list(&self, after: Option<&str>, limit: usize) -> CatalogPage {
        self.read().catalog.list(after, limit)
    }

    /// Whether a channel that is not in it does not exist, or only since a moment. A node that has
    /// just started knows less than was committed; `current` is the commit position of the
    /// catalog's channel here, if it is one that a leader vouches for.
    pub(crate) fn is_settled(&self, current: Option<Seq>) -> bool {
        if current.is_some_and(|commit| commit <= *self.applied.borrow()) {
            self.is_settled.store(true, Ordering::Release);
        }
        self.is_settled.load(Ordering::Acquire)
    }

    /// Follows the seq up to which `__meta` was applied.
    pub(crate) fn applied(&self) -> watch::Receiver<Seq> {
        self.applied.subscribe()
    }

    /// What became of the command at `seq`, if it was applied lately.
    pub(crate) fn outcome(&self, seq: Seq) -> Option<CatalogChange> {
        self.read().outcomes.get(&seq).cloned()
    }

    /// What `voter` has to change when it holds `held`.
    pub(crate) fn reconcile(
        &self,
        voter: VoterId,
        held: &BTreeSet<ChannelUid>,
    ) -> Vec<AssignmentChange> {
        self.read().catalog.reconcile(voter, held)
    }

    /// Applies the command at `seq`. Gives the channel that others are to hold from now on, if it is one.
    pub(super) fn apply(&self, seq: Seq, command: &CatalogCommand) -> Option<ChannelUid> {
        let mut state = self.write();
        let change = state.catalog.apply(seq, command);
        tell(seq, &change);
        let moved = match &change {
            CatalogChange::Placed(entry, _) => Some(entry.uid),
            CatalogChange::Created(_)
            | CatalogChange::RetentionChanged(_)
            | CatalogChange::Deleted(_)
            | CatalogChange::Drained { .. }
            | CatalogChange::Refused(_) => None,
        };
        state.outcomes.insert(seq, change);
        while state.outcomes.len() > OUTCOMES {
            state.outcomes.pop_first();
        }
        moved
    }

    /// Lets those who wait for `seq` go on.
    pub(super) fn advance(&self, seq: Seq) {
        self.applied.send_replace(seq);
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(seq: Seq, change: &CatalogChange) {
    match change {
        CatalogChange::Created(entry) => {
            let (class, replicas) = (entry.genesis.class, entry.genesis.voters().len());
            tracing::info!(%seq, channel = entry.name, uid = %entry.uid, %class, replicas, "channel created");
        }
        CatalogChange::RetentionChanged(entry) => {
            tracing::info!(%seq, channel = entry.name, retention = ?entry.retention, "retention changed");
        }
        CatalogChange::Deleted(entry) => {
            tracing::info!(%seq, channel = entry.name, uid = %entry.uid, "channel deleted");
        }
        CatalogChange::Placed(entry, set) => {
            let (version, replicas) = (set.version(), set.wanted().count());
            let is_complete = set.is_settled();
            tracing::info!(%seq, channel = entry.name, version, replicas, is_complete, "channel moves");
        }
        CatalogChange::Drained { node, is_drained } => {
            tracing::info!(%seq, %node, is_drained, "what a node may hold changed");
        }
        CatalogChange::Refused(refusal) => {
            tracing::info!(%seq, %refusal, "a catalog command changed nothing");
        }
    }
}
