//! Beats that say nothing new. With every beat a node hears each channel of its peer's table again,
//! and with every acknowledgement each of its own is confirmed again. As long as the list of
//! channels is the same, one [`Repeat`] stands for all of them, and a channel is told only when it
//! is looked at: a thousand quiet channels cost as little as one.

use std::collections::BTreeMap;

use tetrarch_wire::{Epoch, Seq, VoterId};

use super::ChannelFact;
use crate::{Input, Moment};

/// A list of channels of which a peer says the same. A hub never gives a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Roll(u64);

impl Roll {
    /// No list: what was said once is not repeated.
    pub const NONE: Self = Self(0);

    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What was said of the channels of a roll is said again of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Their leader was heard.
    Heard {
        /// The leader.
        leader: VoterId,
        /// The channels.
        roll: Roll,
        /// When the beat was heard.
        at: Moment,
    },
    /// A follower acknowledged a beat about them.
    Acked {
        /// The follower.
        voter: VoterId,
        /// The channels.
        roll: Roll,
        /// When the beat was sent.
        sent_at: Moment,
    },
}

/// The latest repetitions of each peer.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    heard: BTreeMap<VoterId, (Roll, Moment)>,
    acked: BTreeMap<VoterId, (Roll, Moment)>,
}

impl Repeats {
    /// Notes a repetition.
    pub fn note(&mut self, repeat: Repeat) {
        match repeat {
            Repeat::Heard { leader, roll, at } => {
                self.heard.insert(leader, (roll, at));
            }
            Repeat::Acked {
                voter,
                roll,
                sent_at,
            } => {
                self.acked.insert(voter, (roll, sent_at));
            }
        }
    }
}

/// What one channel was told last.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// One for each node that claims to lead: which of them is right, the replica decides.
    heard: Vec<Heard>,
    acked: Vec<Acked>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    epoch: Epoch,
    commit: Seq,
    roll: Roll,
    at: Moment,
}

#[derive(Clone, Copy, Debug)]
struct Acked {
    voter: VoterId,
    epoch: Epoch,
    roll: Roll,
    sent_at: Moment,
}

impl Told {
    /// Notes a fact of this channel that its replica is told now.
    pub fn note(&mut self, fact: &ChannelFact) {
        match *fact {
            ChannelFact::LeaderHeard {
                epoch,
                commit,
                roll,
                at,
                channel: _,
            } => {
                let heard = Heard {
                    epoch,
                    commit,
                    roll,
                    at,
                };
                self.forget_leader(epoch);
                self.heard.push(heard);
            }
            ChannelFact::LeaderWithdrew { epoch, channel: _ } => self.forget_leader(epoch),
            ChannelFact::BeatAcked {
                voter,
                epoch,
                roll,
                sent_at,
                channel: _,
            } => {
                self.acked.retain(|acked| acked.voter != voter);
                self.acked.push(Acked {
                    voter,
                    epoch,
                    roll,
                    sent_at,
                });
            }
        }
    }

    fn forget_leader(&mut self, epoch: Epoch) {
        self.heard
            .retain(|heard| heard.epoch.leader != epoch.leader);
    }

    /// What was repeated since the replica was told, for one that has seen no higher epoch than
    /// `epoch_seen`. To be given to the replica before anything else is.
    pub fn due(&mut self, repeats: &Repeats, epoch_seen: Epoch) -> Vec<Input> {
        let mut due = Vec::new();
        for heard in &mut self.heard {
            if let Some((roll, at)) = repeats.heard.get(&heard.epoch.leader)
                && *roll == heard.roll
                && *at > heard.at
                && heard.epoch >= epoch_seen
            {
                heard.at = *at;
                due.push(Input::LeaderHeard {
                    epoch: heard.epoch,
                    commit: heard.commit,
                    at: *at,
                });
            }
        }
        for acked in &mut self.acked {
            if let Some((roll, sent_at)) = repeats.acked.get(&acked.voter)
                && *roll == acked.roll
                && *sent_at > acked.sent_at
            {
                acked.sent_at = *sent_at;
                due.push(Input::BeatAcked {
                    voter: acked.voter,
                    epoch: acked.epoch,
                    sent_at: *sent_at,
                });
            }
        }
        due
    }
}
