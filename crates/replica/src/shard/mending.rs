//! Damaged segments of the channels: which of them are mended now, and which channels wait for that.

use tetrarch_wire::{ChannelUid, Seq};

use super::{Shard, Turn};
use crate::{HaltReason, Input};

/// How many segments are mended at a time, so that a disk that rots does not fill the mesh with repairs.
/// Those that nobody could give so far, and that rest before they are asked for again, do not count.
const AT_ONCE: usize = 4;

impl<A> Shard<A> {
    /// The store knows these segments to be damaged: as many as may be mended at a time are begun, one
    /// of each channel. Part of each heartbeat. Gives those that were begun now.
    pub fn mend(
        &mut self,
        damaged: impl IntoIterator<Item = (ChannelUid, Seq)>,
        turn: &mut Turn<'_>,
    ) -> Vec<(ChannelUid, Seq)> {
        let replicas = self.members.values().map(|member| &member.replica);
        let mut under_way = replicas
            .filter(|replica| replica.is_repair_active())
            .count();
        let mut begun = Vec::new();
        for (channel, segment) in damaged {
            if under_way == AT_ONCE {
                break;
            }
            if self.repairing(channel) != Some(None) {
                continue;
            }
            self.step(channel, Input::Damaged { segment }, turn);
            if self.repairing(channel) == Some(Some(segment)) {
                begun.push((channel, segment));
                under_way += 1;
            }
        }
        begun
    }

    /// Whether a channel was halted from its beginning on, because bytes that a start reads were damaged:
    /// it is to be opened anew once they can be read.
    #[must_use]
    pub fn waits_for_mending(&self, channel: ChannelUid) -> bool {
        self.get(channel).is_some_and(|(replica, _)| {
            replica.view().halted == Some(HaltReason::Corrupt) && !replica.has_written()
        })
    }

    /// The segment of a channel that is being mended; `None` if the channel is not here.
    fn repairing(&self, channel: ChannelUid) -> Option<Option<Seq>> {
        self.get(channel).map(|(replica, _)| replica.repairing())
    }
}
