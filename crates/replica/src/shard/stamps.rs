//! Earning the rows of the beats: those of a task that is stuck look dead to their followers, as they
//! should (protocol §6).

use tetrarch_wire::ChannelUid;

use super::Shard;
use crate::beat::LocalChannel;

impl<A> Shard<A> {
    /// What the beats are to be told at the end of an interval, besides that this task is alive:
    /// how the channels stand to which something has happened, and those of `owed`, which the beats
    /// have asked for. Of a thousand channels most are quiet and not among them. A leader whose
    /// follower is behind stays among them.
    pub fn stamps_due(&mut self, owed: &[ChannelUid]) -> Vec<LocalChannel> {
        let mut due = std::mem::take(&mut self.restless);
        for channel in owed {
            let member = self.members.get(channel);
            if member.is_some_and(|member| !member.is_restless) {
                due.push(*channel);
            }
        }
        let mut stamps = Vec::with_capacity(due.len());
        for channel in due {
            let Some(member) = self.members.get_mut(&channel) else {
                continue;
            };
            stamps.push(member.local_channel());
            member.is_restless = member.has_lag();
            if member.is_restless {
                self.restless.push(channel);
            }
        }
        stamps
    }
}
