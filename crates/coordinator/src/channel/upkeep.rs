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
/// Recent batches of one channel that are kept however many channels there are.
const MIN_RECENT_BYTES: usize = 64 * 1024;

impl Worker {
    /// Earns the rows of all channels: those of a worker that is stuck look dead to their
    /// followers, as they should (protocol §6). Only channels to which something has happened are
    /// stamped: of a thousand, most are quiet.
    pub(super) fn stamp_all(&mut self) {
        let now = clock::moment();
        let mut due = std::mem::take(&mut self.restless);
        for channel in self.context.beats.alive(self.keeper, now) {
            if let Some(actor) = self.actors.get(&channel)
                && !actor.restless
            {
                due.push(channel);
            }
        }
        if due.is_empty() {
            return;
        }
        let actors = due.iter().filter_map(|channel| self.actors.get(channel));
        let stamps: Vec<LocalChannel> = actors.map(Actor::local_channel).collect();
        self.context.beats.stamp_all(&stamps, now);
        for channel in due {
            if let Some(actor) = self.actors.get_mut(&channel) {
                actor.restless = actor.publish_followers(now);
                if actor.restless {
                    self.restless.push(channel);
                }
            }
        }
        self.share_memory();
    }

    /// Gives each channel that keeps batches in memory the same share of what there is, and no
    /// channel more than its own bound.
    fn share_memory(&mut self) {
        let keepers = self
            .actors
            .values()
            .filter(|actor| actor.replica.recent_bytes() > 0)
            .count();
        let share = fair_share(self.context.recent_bytes, keepers);
        let limit = share.min(self.context.settings.recent_bytes);
        for actor in self.actors.values_mut() {
            actor.replica.set_recent_bytes(limit);
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

fn fair_share(bytes: usize, keepers: usize) -> usize {
    (bytes / keepers.max(1)).max(MIN_RECENT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_by_those_that_need_it_but_none_is_left_with_nothing() {
        assert_eq!(fair_share(64 << 20, 0), 64 << 20);
        assert_eq!(fair_share(64 << 20, 4), 16 << 20);
        assert_eq!(fair_share(64 << 20, 100_000), MIN_RECENT_BYTES);
    }
}
