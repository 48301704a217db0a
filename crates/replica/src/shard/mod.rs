//! The channels that one task of a node owns, as a pure function of what reaches them: what beats have
//! said is heard first, what a step has made new is told to the beats before anything leaves, batches
//! grow with what arrived together, and a thousand quiet channels cost as little as their timers.
//!
//! A task of the node feeds a [`Shard`] and carries out its [`ShardEffect`]s in order; the simulator
//! does exactly the same. What belongs to a channel besides the protocol, such as its waiting
//! readers, is attached to its member.

mod disk;
mod effect;
mod member;
mod mending;
mod stamps;
mod stepping;
#[cfg(test)]
mod tests;
mod timers;

pub use effect::{ShardEffect, Turn};

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tetrarch_wire::{ChannelUid, VoterId, frame::DiskLevel};

use self::{member::Member, timers::Timers};
use crate::{
    Effect, Replica,
    beat::{Keeper, Repeats},
};

/// Timers that go off within this part of a heartbeat are looked at together.
const LOOK_AHEAD: u32 = 4;

/// The channels of one task, each with what its owner attaches to it.
#[derive(Debug)]
pub struct Shard<A> {
    keeper: Keeper,
    /// How far ahead of their time timers are looked at.
    look_ahead: Duration,
    members: BTreeMap<ChannelUid, Member<A>>,
    timers: Timers,
    /// What peers have repeated of many channels.
    repeats: Repeats,
    /// Channels that were stepped since the last time all were settled.
    touched: Vec<ChannelUid>,
    /// Channels to stamp at the next heartbeat.
    restless: Vec<ChannelUid>,
    /// Channels with a read that waits until a majority has confirmed their leader.
    awaiting_acks: BTreeSet<ChannelUid>,
    /// How full the disk is, and whether a channel has not been told yet.
    disk: DiskLevel,
    disk_is_news: bool,
    /// Effects of the step under way.
    effects: Vec<Effect>,
}

impl<A> Shard<A> {
    /// A shard without channels, whose beats go out every `heartbeat`.
    #[must_use]
    pub fn new(keeper: Keeper, heartbeat: Duration) -> Self {
        Self {
            keeper,
            look_ahead: heartbeat / LOOK_AHEAD,
            members: BTreeMap::new(),
            timers: Timers::default(),
            repeats: Repeats::default(),
            touched: Vec::new(),
            restless: Vec::new(),
            awaiting_acks: BTreeSet::new(),
            disk: DiskLevel::Green,
            disk_is_news: false,
            effects: Vec::new(),
        }
    }

    /// Takes up a channel. `false` if it is here already; then nothing happens.
    pub fn add(&mut self, channel: ChannelUid, replica: Replica, attached: A) -> bool {
        if self.members.contains_key(&channel) {
            return false;
        }
        self.disk_is_news |= replica.disk_level() != self.disk;
        let member = Member::new(channel, self.keeper, replica, attached);
        self.members.insert(channel, member);
        true
    }

    /// Lets a channel go. The beats forget it by themselves only with time: its owner tells them.
    pub fn remove(&mut self, channel: ChannelUid) -> Option<A> {
        self.awaiting_acks.remove(&channel);
        let removed = self.members.remove(&channel)?;
        Some(removed.attached)
    }

    /// A channel that was made anew numbers its reads on, so that it does not take answers to its
    /// predecessor's for its own.
    pub fn number_reads_after(&mut self, channel: ChannelUid, last: u64) {
        if let Some(member) = self.members.get_mut(&channel) {
            member.replica.last_read = last;
        }
    }

    /// Whether the channel is here.
    #[must_use]
    pub fn contains(&self, channel: ChannelUid) -> bool {
        self.members.contains_key(&channel)
    }

    /// A channel's replica and what is attached to it.
    #[must_use]
    pub fn get(&self, channel: ChannelUid) -> Option<(&Replica, &A)> {
        let member = self.members.get(&channel)?;
        Some((&member.replica, &member.attached))
    }

    /// The same, to change what is attached.
    pub fn get_mut(&mut self, channel: ChannelUid) -> Option<(&Replica, &mut A)> {
        let member = self.members.get_mut(&channel)?;
        Some((&member.replica, &mut member.attached))
    }

    /// All channels, by id.
    pub fn iter(&self) -> impl Iterator<Item = (ChannelUid, &Replica, &A)> {
        let members = self.members.iter();
        members.map(|(channel, member)| (*channel, &member.replica, &member.attached))
    }

    /// The channels that `voter` holds too.
    pub fn held_with(&self, voter: VoterId) -> impl Iterator<Item = ChannelUid> + '_ {
        let shared = move |member: &Member<A>| member.is_held_by(voter);
        let members = self.members.iter();
        members.filter_map(move |(channel, member)| shared(member).then_some(*channel))
    }

    /// Bounds the memory for recent batches, in bytes: `together` for the channels that keep any, and
    /// `each` for a single one.
    pub fn share_memory(&mut self, together: usize, each: usize) {
        let keep = |member: &&Member<A>| member.replica.recent_bytes() > 0;
        let keepers = self.members.values().filter(keep).count();
        let limit = fair_share(together, keepers).min(each);
        for member in self.members.values_mut() {
            member.replica.set_recent_bytes(limit);
        }
    }
}

/// Recent batches of one channel that are kept however many channels there are.
const MIN_RECENT_BYTES: usize = 64 * 1024;

fn fair_share(bytes: usize, keepers: usize) -> usize {
    (bytes / keepers.max(1)).max(MIN_RECENT_BYTES)
}
