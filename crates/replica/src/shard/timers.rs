//! When channels are to be looked at. Deadlines move on with each beat; a timer that goes off too
//! early only looks and is set again, so that beats cost no timers.

use std::{cmp::Reverse, collections::BinaryHeap};

use tetrarch_wire::ChannelUid;

use super::Shard;
use crate::Moment;

/// Timers that were set, the earliest first. One that does not say what its channel's member says
/// was replaced by an earlier one.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Moment, ChannelUid)>>);

impl<A> Shard<A> {
    /// When [`tick`](Self::tick) is wanted next, if nothing else happens.
    pub fn next_deadline(&mut self) -> Option<Moment> {
        while let Some(Reverse((deadline, channel))) = self.timers.0.peek().copied() {
            if self.is_armed(channel, deadline) {
                return Some(deadline);
            }
            self.timers.0.pop();
        }
        None
    }

    /// Sets the channel's timer, unless one that is set goes off in time. Gives the deadline.
    pub(super) fn arm(&mut self, channel: ChannelUid) -> Option<Moment> {
        let member = self.members.get_mut(&channel)?;
        let deadline = member.replica.next_deadline()?;
        if member.armed.is_none_or(|armed| deadline < armed) {
            member.armed = Some(deadline);
            self.timers.0.push(Reverse((deadline, channel)));
        }
        Some(deadline)
    }

    /// The channels whose timers go off until then.
    pub(super) fn take_due(&mut self, until: Moment) -> Vec<ChannelUid> {
        let mut due = Vec::new();
        while let Some(Reverse((deadline, channel))) = self.timers.0.peek().copied() {
            if deadline > until {
                break;
            }
            self.timers.0.pop();
            if self.is_armed(channel, deadline)
                && let Some(member) = self.members.get_mut(&channel)
            {
                member.armed = None;
                due.push(channel);
            }
        }
        due
    }

    fn is_armed(&self, channel: ChannelUid, deadline: Moment) -> bool {
        let member = self.members.get(&channel);
        member.is_some_and(|member| member.armed == Some(deadline))
    }
}
