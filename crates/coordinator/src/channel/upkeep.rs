//! What a worker does for all of its channels from time to time: earn their rows in the beats,
//! measure lag, save producers, hand over.

use tetrarch_log::WriteOp;
use tetrarch_replica::{Input, beat::LocalChannel};
use tetrarch_wire::{ChannelUid, ReplicaRole, Seq};

use super::{Worker, actor::Actor, tickets::Waiting};
use crate::{clock, store::FlushOrder};

/// After how many committed events the producers of a channel are saved again, so that a start
/// has a bounded number of batches to read back.
const SAVE_PRODUCERS_EVERY: u64 = 1_000_000;

impl Worker {
    /// Stamps every channel: a channel that is not stamped looks dead to its followers, which is
    /// what it should look like when its worker is stuck (protocol §6).
    pub(super) fn stamp_all(&mut self) {
        let now = clock::moment();
        let stamps: Vec<LocalChannel> = self.actors.values().map(Actor::local_channel).collect();
        self.context.beats.stamp_all(&stamps, now);
        for actor in self.actors.values() {
            if actor.replica.view().role == ReplicaRole::Leader {
                actor.publish_followers(now);
            }
        }
    }

    /// Drops what retention allows to drop. The producers are saved first, because the batches
    /// that they are remembered by go.
    pub(super) fn trim(&mut self, channel: ChannelUid, upto: Seq) {
        self.save_producers_of(channel);
        self.context.writes.order(channel, WriteOp::Trim { upto });
    }

    pub(super) fn save_producers(&mut self) {
        let due: Vec<ChannelUid> = self
            .actors
            .iter()
            .filter(|(_, a)| {
                a.replica.view().commit.since(a.producers_saved) >= SAVE_PRODUCERS_EVERY
            })
            .map(|(uid, _)| *uid)
            .collect();
        for channel in due {
            self.save_producers_of(channel);
        }
    }

    fn save_producers_of(&mut self, channel: ChannelUid) {
        if let Some(actor) = self.actors.get_mut(&channel) {
            let (seq, bytes) = actor.replica.producer_snapshot();
            actor.producers_saved = seq;
            self.context.flush.order(FlushOrder::SaveProducers {
                channel,
                seq,
                bytes,
            });
        }
    }

    /// Hands over what this worker leads, before the node stops.
    pub(super) fn hand_over_all(&mut self) {
        let led: Vec<ChannelUid> = self
            .actors
            .iter()
            .filter(|(_, actor)| actor.replica.view().role == ReplicaRole::Leader)
            .map(|(uid, _)| *uid)
            .collect();
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
