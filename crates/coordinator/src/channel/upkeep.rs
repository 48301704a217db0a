//! What a worker does for all of its channels from time to time: earn their rows in the beats,
//! measure lag, save producers, hand over.

use bytes::Bytes;
use tetrarch_replica::Input;
use tetrarch_wire::{ChannelUid, ReplicaRole, Seq};

use super::{StoreAnswer, Worker, tickets::Waiting};
use crate::{
    clock,
    store::{AfterSnapshot, FlushOrder},
};

/// After how many committed events the snapshot of a channel is saved again, so that a start
/// has a bounded number of batches to read back.
const SAVE_SNAPSHOT_EVERY: u64 = 1_000_000;

impl Worker {
    /// Earns the rows of all channels: those of a worker that is stuck look dead to their
    /// followers, as they should (protocol §6). Only channels to which something has happened are
    /// stamped: of a thousand, most are quiet.
    pub(super) fn stamp_all(&mut self) {
        let now = clock::moment();
        let owed = self.context.beats.alive(self.keeper, now);
        let stamps = self.shard.stamps_due(&owed);
        if stamps.is_empty() {
            return;
        }
        self.context.beats.stamp_all(&stamps, now);
        for stamp in stamps {
            if let Some((replica, actor)) = self.shard.get_mut(stamp.channel) {
                actor.publish_followers(replica, now);
            }
        }
        let (together, each) = (
            self.context.recent_bytes,
            self.context.settings.recent_bytes,
        );
        self.shard.share_memory(together, each);
    }

    /// Drops what retention allows to drop, once a snapshot is saved.
    pub(super) fn trim(&mut self, channel: ChannelUid, upto: Seq) {
        self.save_snapshot_of(channel, AfterSnapshot::Trim(upto));
    }

    pub(super) fn save_snapshots(&mut self) {
        let channels = self.shard.iter().filter(|(_, replica, actor)| {
            replica.view().commit.since(actor.snapshot_saved) >= SAVE_SNAPSHOT_EVERY
        });
        let due: Vec<ChannelUid> = channels.map(|(channel, ..)| channel).collect();
        for channel in due {
            self.save_snapshot_of(channel, AfterSnapshot::Nothing);
        }
    }

    fn save_snapshot_of(&mut self, channel: ChannelUid, then: AfterSnapshot) {
        if let Some((replica, actor)) = self.shard.get_mut(channel) {
            let (seq, bytes) = replica.snapshot();
            actor.snapshot_saved = seq;
            self.context.flush.order(FlushOrder::SaveSnapshot {
                channel,
                holding: replica.holding(),
                seq,
                bytes,
                then,
            });
        }
    }

    /// A replica wants the snapshot kept with which its log is to begin. Orders are carried out in turn, so
    /// that none that came before takes its place.
    pub(super) fn keep_snapshot(&mut self, channel: ChannelUid, save: u64, seq: Seq, bytes: Bytes) {
        let Some((replica, _)) = self.shard.get(channel) else {
            return;
        };
        let holding = replica.holding();
        let answers = self.answers.clone();
        let done = move |worked| {
            let answer = StoreAnswer::SnapshotSaved {
                channel,
                save,
                worked,
            };
            if answers.send(answer).is_err() {
                tracing::debug!("the worker stopped before a snapshot was saved");
            }
        };
        let order = FlushOrder::SaveSnapshot {
            channel,
            holding,
            seq,
            bytes,
            then: AfterSnapshot::Tell(Box::new(done)),
        };
        if !self.context.flush.order(order) {
            let worked = false;
            self.step(channel, Input::SnapshotSaved { save, worked });
        }
    }

    /// Hands over what this worker leads, before the node stops.
    pub(super) fn hand_over_all(&mut self) {
        let channels = self.shard.iter();
        let led = channels.filter(|(_, replica, _)| replica.view().role == ReplicaRole::Leader);
        let led: Vec<ChannelUid> = led.map(|(channel, ..)| channel).collect();
        for channel in led {
            let (reply, _) = tokio::sync::oneshot::channel();
            let ticket = self.tickets.keep(Waiting::Admin(reply));
            self.step(
                channel,
                Input::Transfer {
                    ticket,
                    to: None,
                    forced: true,
                },
            );
        }
    }
}
