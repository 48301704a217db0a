//! How full the disk is, told to the channels.

use tetrarch_wire::{ChannelUid, frame::DiskLevel};

use super::{Shard, Turn};
use crate::Input;

impl<A> Shard<A> {
    /// The disk of this node was looked at, as is done once a second: it is this full. Channels that
    /// have withdrawn come back `at_once` of them at a time, so that a node with thousands of channels
    /// does not ask its peers for everything in the same moment (protocol §12).
    pub fn disk_level(&mut self, level: DiskLevel, at_once: usize, turn: &mut Turn<'_>) {
        if level == self.disk && !self.disk_is_news {
            return;
        }
        self.disk = level;
        let not_told: Vec<(ChannelUid, bool)> = self
            .members
            .iter()
            .filter(|(_, member)| member.replica.disk_level() != level)
            .map(|(channel, member)| (*channel, member.replica.is_parked()))
            .collect();
        let mut come_back = 0;
        self.disk_is_news = false;
        for (channel, is_parked) in not_told {
            if is_parked && level == DiskLevel::Green {
                if come_back == at_once {
                    self.disk_is_news = true;
                    continue;
                }
                come_back += 1;
            }
            self.step(channel, Input::DiskLevel(level), turn);
        }
    }
}
