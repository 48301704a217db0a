//! Following `__meta`: every committed command is applied to this node's copy, and then the node
//! takes up what it must hold and lets go of what it must not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tetrarch_log::{Holding, WriteOp};
use tetrarch_replica::{Recovered, catalog::AssignmentChange};
use tetrarch_wire::{
    Batch, BatchKind, ChannelUid, DecodeError, HardState, Seq, VoterId,
    frame::{CatalogCommand, ChannelEntry},
};
use tokio::sync::{
    oneshot::{self, error::RecvError},
    watch,
};

use super::CatalogView;
use crate::{
    channel::{ChannelOpening, ClientInput, Command, ReadReply, ReadRequest, Workers},
    registry::{ChannelHandle, Registry},
    store::{ReadHandle, WriteHandle},
    telemetry::Telemetry,
};

/// Most bytes of commands that are applied before the node acts on them.
const CHUNK_BYTES: u32 = 1024 * 1024;

/// How often a node that has just started looks whether it knows the whole catalog.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Channels that the store once held and of which it can read nothing, and what those promise that begin
/// anew.
pub(crate) type LostChannels = BTreeMap<ChannelUid, Option<HardState>>;

/// The task that follows `__meta`.
pub(crate) struct Follower {
    pub(crate) me: VoterId,
    pub(crate) view: Arc<CatalogView>,
    pub(crate) workers: Workers,
    pub(crate) writes: WriteHandle,
    pub(crate) reads: ReadHandle,
    pub(crate) registry: Arc<Registry>,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Channels that the store once held and of which it can read nothing.
    pub(crate) lost: LostChannels,
    /// Channels of which the store is to let go, and had not yet when it was last looked at, each with how
    /// often it will have done so then.
    pub(crate) releasing: BTreeMap<ChannelUid, u64>,
    /// Deleted channels of which the store is to forget what it had promised in them.
    pub(crate) ended: BTreeSet<ChannelUid>,
}

impl Follower {
    /// Runs until `stop` turns true or the catalog cannot be read any more.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            why = self.follow() => {
                tracing::error!(why, "the catalog is not followed any more on this node");
            }
        }
    }

    async fn follow(&mut self) -> &'static str {
        let mut next = Seq::FIRST;
        let mut is_reconciled = false;
        loop {
            let (reply, answer) = oneshot::channel();
            let channel = self.view.meta().uid;
            let read = ReadRequest {
                channel,
                from: next,
                max_bytes: CHUNK_BYTES,
                reply,
            };
            if self
                .workers
                .of(channel)
                .clients
                .send(ClientInput::Read(read))
                .await
                .is_err()
            {
                return "the node is stopping";
            }
            let batches = match self.reconciling(answer, &mut is_reconciled).await {
                Ok(ReadReply::Batches { batches, .. }) => batches,
                Ok(ReadReply::Trimmed { .. }) => return "a part of it is not there any more",
                Ok(ReadReply::Failed { why }) => return why,
                Ok(ReadReply::Diverged { .. }) => return "another history took its place",
                Ok(ReadReply::Gone) | Err(_) => return "its channel is not on this node",
            };
            if let Some(last) = batches.last() {
                next = last.last_seq().next();
                let moved = self.apply(&batches);
                is_reconciled &= self.reconcile().await;
                self.tell(moved).await;
                // Only now: whoever waits for a command finds its effect.
                self.view.advance(last.last_seq());
            }
        }
    }

    /// Waits for an answer, and meanwhile does what had to wait. Channels come to this node and leave it only
    /// once it knows all that was committed: on its way there, after a start, it sees states in which it did
    /// not hold yet what it holds by now, or still held what it has let go of. What it finds in its store it
    /// holds at once.
    async fn reconciling<T>(
        &mut self,
        mut answer: oneshot::Receiver<T>,
        is_reconciled: &mut bool,
    ) -> Result<T, RecvError> {
        while !*is_reconciled {
            if self.knows_all() && self.reconcile().await {
                *is_reconciled = true;
            } else if let Ok(answered) = tokio::time::timeout(LOOK_AGAIN, &mut answer).await {
                return answered;
            }
        }
        answer.await
    }

    /// Whether everything that was committed in `__meta` when this node started is applied.
    fn knows_all(&self) -> bool {
        let meta = self.registry.get(self.view.meta().uid);
        self.view
            .is_settled(meta.and_then(|meta| meta.current_commit()))
    }

    /// Applies commands, and gives the channels that others are to hold from now on.
    fn apply(&self, batches: &[Batch]) -> BTreeSet<ChannelUid> {
        let mut moved = BTreeSet::new();
        for batch in batches
            .iter()
            .filter(|batch| batch.kind() == BatchKind::Data)
        {
            if let Err(error) = self.apply_batch(batch, &mut moved) {
                // Every node skips it alike: the fold stays the same everywhere.
                tracing::error!(seq = %batch.base_seq(), %error, "a catalog command is unreadable");
            }
        }
        moved
    }

    fn apply_batch(
        &self,
        batch: &Batch,
        moved: &mut BTreeSet<ChannelUid>,
    ) -> Result<(), DecodeError> {
        let mut seq = batch.base_seq();
        for event in batch.events()?.iter() {
            let command = CatalogCommand::decode(&event.payload)?;
            moved.extend(self.view.apply(seq, &command));
            seq = seq.next();
        }
        Ok(())
    }

    /// The replicas of moved channels that are here learn who is to hold them.
    async fn tell(&self, moved: BTreeSet<ChannelUid>) {
        for channel in moved {
            if let Some(set) = self.view.replica_set(channel)
                && self.registry.get(channel).is_some()
            {
                self.order(channel, Command::Placed { channel, set }).await;
            }
        }
    }

    /// Does what the catalog says, and says whether nothing of it had to wait.
    async fn reconcile(&mut self) -> bool {
        let meta = self.view.meta().uid;
        let held: BTreeSet<ChannelUid> = self
            .registry
            .all()
            .iter()
            .map(|h| h.uid)
            .filter(|uid| *uid != meta)
            .collect();
        let mut is_all = true;
        self.look_at_store();
        for change in self.view.reconcile(self.me, &held) {
            match change {
                AssignmentChange::Assigned(entry) if held.contains(&entry.uid) => {}
                AssignmentChange::Assigned(_) | AssignmentChange::Released { .. }
                    if !self.knows_all() => {}
                AssignmentChange::Assigned(entry) => is_all &= self.take_up(&entry).await,
                AssignmentChange::Deleted { uid } => {
                    self.order(uid, Command::Close(uid)).await;
                    self.writes.order(uid, WriteOp::Delete);
                }
                AssignmentChange::Released { uid } => {
                    tracing::info!(channel = %uid, "others hold this channel now");
                    self.release(uid).await;
                }
                // A channel that the catalog does not know is never deleted because of that
                // (protocol §13): it stays as it is.
                AssignmentChange::Unassigned { uid } => {
                    tracing::warn!(channel = %uid, "the catalog does not know this channel");
                }
            }
        }
        is_all
    }

    /// The store has let go of some channels meanwhile, and some of those are deleted.
    fn look_at_store(&mut self) {
        let reader = self.reads.reader();
        let view = &self.view;
        self.releasing.retain(|uid, releases| {
            view.get(*uid).is_some() && !reader.holding(*uid).is_released(*releases)
        });
        let released: BTreeSet<ChannelUid> = reader.released().into_iter().collect();
        self.ended.retain(|uid| released.contains(uid));
        for uid in released {
            if self.view.was_deleted(uid) && self.ended.insert(uid) {
                self.writes.order(uid, WriteOp::Delete);
            }
        }
    }

    /// Waits until the channel's replica is gone: what it still had to write comes before what a later one
    /// of the same channel writes.
    async fn release(&mut self, channel: ChannelUid) {
        // What came before is durable, or the channel would not have been taken up.
        let releases = self.reads.reader().holding(channel).releases() + 1;
        self.releasing.insert(channel, releases);
        let (done, is_gone) = oneshot::channel();
        self.order(channel, Command::Release { channel, done })
            .await;
        if is_gone.await.is_err() {
            tracing::debug!(%channel, "the node is stopping");
        }
    }

    /// Takes a channel up, if the store is ready for it, and says whether it was.
    async fn take_up(&self, entry: &ChannelEntry) -> bool {
        let uid = entry.uid;
        let (opening, order) = if let Some(promise) = self.lost.get(&uid) {
            (opening_of_lost(entry, *promise, &self.telemetry), None)
        } else if self.releasing.contains_key(&uid) {
            return false;
        } else {
            let mut opening = opening_of_new(entry, self.me, &self.telemetry);
            let order = if let Holding::Released {
                hard_state,
                reached,
                releases,
                halted,
            } = self.reads.reader().holding(uid)
            {
                tracing::info!(channel = entry.name, "the channel comes back to this node");
                opening.stand_first = false;
                opening.recovered.hard_state = hard_state;
                opening.recovered.reached = reached;
                opening.recovered.releases = releases;
                opening.recovered.damaged = halted.is_some();
                Some(WriteOp::TakeUp)
            } else {
                None
            };
            (opening, order)
        };
        // Registered at once, so that the channel is taken up only once.
        self.registry.insert(&opening.handle);
        match order {
            Some(order) => self.writes.order(uid, order),
            None => order_to_open(&opening, &self.writes),
        }
        self.order(entry.uid, Command::Open(Box::new(opening)))
            .await;
        self.tell(BTreeSet::from([entry.uid])).await;
        true
    }

    async fn order(&self, channel: ChannelUid, command: Command) {
        if self
            .workers
            .of(channel)
            .commands
            .send(command)
            .await
            .is_err()
        {
            tracing::debug!(%channel, "the node is stopping");
        }
    }
}

/// A channel that has no log yet.
pub(crate) fn opening_of_new(
    entry: &ChannelEntry,
    me: VoterId,
    telemetry: &Telemetry,
) -> ChannelOpening {
    ChannelOpening {
        handle: Arc::new(ChannelHandle::new(
            entry.uid,
            entry.name.clone(),
            entry.genesis.clone(),
            telemetry,
        )),
        recovered: Recovered::empty(&entry.genesis),
        replay: Vec::new(),
        stand_first: entry.first_leader == me,
    }
}

/// A channel whose votes and events this node once had and cannot read. Were it taken up as new,
/// the node would vote as if it had promised and acknowledged nothing; so it begins anew in limbo. If
/// there is no promise with which it could, it is halted here, and what is left of its files stays as it
/// is.
pub(crate) fn opening_of_lost(
    entry: &ChannelEntry,
    promise: Option<HardState>,
    telemetry: &Telemetry,
) -> ChannelOpening {
    let mut opening = opening_of_new(entry, VoterId::NONE, telemetry);
    match promise {
        Some(promise) => opening.recovered.hard_state = promise,
        None => opening.recovered.damaged = true,
    }
    opening
}

/// A channel of which nothing was written yet begins in the store, with what it must not forget.
pub(crate) fn order_to_open(opening: &ChannelOpening, writes: &WriteHandle) {
    if opening.recovered.damaged {
        return;
    }
    let handle = &opening.handle;
    let mut ops = vec![WriteOp::Open {
        name: handle.name.clone(),
        genesis: handle.genesis.clone(),
    }];
    if opening.recovered.hard_state.limbo.is_some() {
        ops.push(WriteOp::HardState(opening.recovered.hard_state));
    }
    writes.order_together(handle.uid, ops);
}
