//! What a worker does for all of its channels from time to time: earn their rows in the beats,
//! measure lag, save producers, hand over.

use tetrarch_replica::Input;
use tetrarch_wire::{ChannelUid, ReplicaRole, Seq};

use super::{Worker, tickets::Waiting};
use crate::{clock, store::FlushOrder};

/// After how many committed events the producers of a channel are saved again, so that a start
/// has a bounded number of batches to read back.
const SAVE_PRODUCERS_EVERY: u64 = 1_000_000;

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
            if let Some((replica, actor)) = self.shard.get(stamp.channel) {
                actor.publish_followers(replica, now);
            }
        }
        let (together, each) = (
            self.context.recent_bytes,
            self.context.settings.recent_bytes,
        );
        self.shard.share_memory(together, each);
    }

    /// Drops what retention allows to drop, once the producers are saved.
    pub(super) fn trim(&mut self, channel: ChannelUid, upto: Seq) {
        self.save_producers_of(channel, Some(upto));
    }

    pub(super) fn save_producers(&mut self) {
        let channels = self.shard.iter().filter(|(_, replica, actor)| {
            replica.view().commit.since(actor.producers_saved) >= SAVE_PRODUCERS_EVERY
        });
        let due: Vec<ChannelUid> = channels.map(|(channel, ..)| channel).collect();
        for channel in due {
            self.save_producers_of(channel, None);
        }
    }

    fn save_producers_of(&mut self, channel: ChannelUid, then_trim: Option<Seq>) {
        if let Some((replica, actor)) = self.shard.get_mut(channel) {
            let (seq, bytes) = replica.producer_snapshot();
            actor.producers_saved = seq;
            self.context.flush.order(FlushOrder::SaveProducers {
                channel,
                seq,
                bytes,
                then_trim,
            });
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
