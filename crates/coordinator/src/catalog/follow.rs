//! Following `__meta`: every committed command is applied to this node's copy, and then the node
//! takes up what it must hold and lets go of what it must not.

use std::{collections::BTreeSet, sync::Arc};

use tetrarch_log::WriteOp;
use tetrarch_replica::{Recovered, catalog::AssignmentChange};
use tetrarch_wire::{
    Batch, BatchKind, ChannelUid, DecodeError, Seq, VoterId,
    frame::{CatalogCommand, ChannelEntry},
};
use tokio::sync::{oneshot, watch};

use super::CatalogView;
use crate::{
    channel::{ChannelOpening, ClientInput, Command, ReadReply, ReadRequest, Workers},
    registry::{ChannelHandle, Registry},
    store::WriteHandle,
    telemetry::Telemetry,
};

/// Most bytes of commands that are applied before the node acts on them.
const CHUNK_BYTES: u32 = 1024 * 1024;

/// The task that follows `__meta`.
pub(crate) struct Follower {
    pub(crate) me: VoterId,
    pub(crate) view: Arc<CatalogView>,
    pub(crate) workers: Workers,
    pub(crate) writes: WriteHandle,
    pub(crate) registry: Arc<Registry>,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Channels that the store once held and of which it can read nothing.
    pub(crate) lost: LostChannels,
}

/// Channels that a store once held, or may have held, and of which it can read nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct LostChannels {
    pub(crate) known: BTreeSet<ChannelUid>,
    /// There may be others.
    pub(crate) may_be_more: bool,
}

impl LostChannels {
    /// Whether a channel that the store does not hold may be one of them.
    pub(crate) fn may_include(&self, uid: ChannelUid) -> bool {
        self.may_be_more || self.known.contains(&uid)
    }
}

impl Follower {
    /// Runs until `stop` turns true or the catalog cannot be read any more.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            why = self.follow() => {
                tracing::error!(why, "the catalog is not followed any more on this node");
            }
        }
    }

    async fn follow(&self) -> &'static str {
        let mut next = Seq::FIRST;
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
            let batches = match answer.await {
                Ok(ReadReply::Batches { batches, .. }) => batches,
                Ok(ReadReply::Trimmed { .. }) => return "a part of it is not there any more",
                Ok(ReadReply::Failed { why }) => return why,
                Ok(ReadReply::Gone) | Err(_) => return "its channel is not on this node",
            };
            if let Some(last) = batches.last() {
                next = last.last_seq().next();
                self.apply(&batches);
                self.reconcile().await;
                // Only now: whoever waits for a command finds its effect.
                self.view.advance(last.last_seq());
            }
        }
    }

    fn apply(&self, batches: &[Batch]) {
        for batch in batches
            .iter()
            .filter(|batch| batch.kind() == BatchKind::Data)
        {
            if let Err(error) = self.apply_batch(batch) {
                // Every node skips it alike: the fold stays the same everywhere.
                tracing::error!(seq = %batch.base_seq(), %error, "a catalog command is unreadable");
            }
        }
    }

    fn apply_batch(&self, batch: &Batch) -> Result<(), DecodeError> {
        let mut seq = batch.base_seq();
        for event in batch.events()?.iter() {
            self.view
                .apply(seq, &CatalogCommand::decode(&event.payload)?);
            seq = seq.next();
        }
        Ok(())
    }

    async fn reconcile(&self) {
        let meta = self.view.meta().uid;
        let held: BTreeSet<ChannelUid> = self
            .registry
            .all()
            .iter()
            .map(|h| h.uid)
            .filter(|uid| *uid != meta)
            .collect();
        for change in self.view.reconcile(self.me, &held) {
            match change {
                AssignmentChange::Assigned(entry) if held.contains(&entry.uid) => {}
                AssignmentChange::Assigned(entry) => self.take_up(&entry).await,
                AssignmentChange::Deleted { uid } => {
                    self.order(uid, Command::Close(uid)).await;
                    self.writes.order(uid, WriteOp::Delete);
                }
                // A channel that the catalog does not know is never deleted because of that
                // (protocol §13): it stays as it is.
                AssignmentChange::Unassigned { uid } => {
                    tracing::warn!(channel = %uid, "the catalog does not know this channel");
                }
                AssignmentChange::RetentionChanged { .. } => {}
            }
        }
    }

    async fn take_up(&self, entry: &ChannelEntry) {
        let is_lost = self.lost.may_include(entry.uid);
        let opening = if is_lost {
            opening_of_lost(entry, &self.telemetry)
        } else {
            opening_of_new(entry, self.me, &self.telemetry)
        };
        // Registered at once, so that the channel is taken up only once.
        self.registry.insert(&opening.handle);
        if !is_lost {
            self.writes.order(
                entry.uid,
                WriteOp::Open {
                    name: entry.name.clone(),
                    genesis: entry.genesis.clone(),
                },
            );
        }
        self.order(entry.uid, Command::Open(Box::new(opening)))
            .await;
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
/// the node would vote as if it had promised and acknowledged nothing; so it is halted here, and
/// what is left of its files stays as it is.
pub(crate) fn opening_of_lost(entry: &ChannelEntry, telemetry: &Telemetry) -> ChannelOpening {
    let mut opening = opening_of_new(entry, VoterId::NONE, telemetry);
    opening.recovered.damaged = true;
    opening
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_loss_of_unknown_channels_no_channel_that_is_not_held_is_new() {
        let [one, other] = [1, 2].map(|byte| ChannelUid::from_bytes([byte; 32]));
        let mut lost = LostChannels {
            known: BTreeSet::from([one]),
            may_be_more: false,
        };
        assert!(lost.may_include(one) && !lost.may_include(other));
        lost.may_be_more = true;
        assert!(lost.may_include(one) && lost.may_include(other));
    }
}
