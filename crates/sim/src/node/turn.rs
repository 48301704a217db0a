//! The turns of a node's shard of channels: something reaches it, what comes of it is carried out in
//! order, and a while later the turn is settled.

use std::collections::BTreeSet;

use tetrarch_replica::{
    Input, Replica,
    shard::{Shard, ShardEffect, Turn},
};

use super::{Member, Process};
use crate::world::{ChannelIndex, Event, MS, World};

/// How often a turn is settled with the step that began it, of a thousand times. Otherwise more
/// arrives first.
const SETTLED_AT_ONCE: u64 = 800;

impl World {
    /// Gives one input to a channel and carries out what comes of it.
    pub(crate) fn step(&mut self, node: usize, channel: ChannelIndex, input: Input) {
        self.trace
            .say(self.now, node, || format!("c{channel} <- {input:?}"));
        let uid = self.channels[channel].uid;
        self.turn(node, |shard, turn| shard.step(uid, input, turn));
        self.settle_soon(node);
    }

    /// Lets something happen to the channels of a node and carries out what comes of it.
    pub(crate) fn turn(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Shard<Member>, &mut Turn<'_>),
    ) {
        let now = self.nodes[node].clock.read(self.now);
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let mut effects = Vec::new();
        let mut turn = Turn {
            now,
            chance: &mut self.jitter,
            effects: &mut effects,
        };
        act(&mut process.shard, &mut turn);
        self.tally.steps += 1;
        let mut stepped = BTreeSet::new();
        for effect in effects {
            match effect {
                ShardEffect::Stamp(local) => {
                    if let Some(process) = &mut self.nodes[node].process {
                        process.hub.stamp(&local, now.mono);
                    }
                }
                ShardEffect::Replica(uid, effect) => {
                    let channel = self.index_of(uid);
                    stepped.insert(channel);
                    self.carry_out(node, channel, effect);
                }
            }
        }
        for channel in stepped {
            self.after_step(node, channel);
        }
        self.arm(node);
    }

    /// Ends the turn: at once, or when more may have arrived.
    pub(crate) fn settle_soon(&mut self, node: usize) {
        let start = self.nodes[node].starts;
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        if process.is_settling {
            return;
        }
        if self.dice.permille(SETTLED_AT_ONCE) {
            self.settle(node);
        } else {
            process.is_settling = true;
            self.at(MS, Event::Settle { node, start });
        }
    }

    /// Ends the turn.
    pub(crate) fn settle(&mut self, node: usize) {
        if let Some(process) = &mut self.nodes[node].process {
            process.is_settling = false;
        }
        self.turn(node, |shard, turn| drop(shard.settle(turn)));
    }

    fn after_step(&mut self, node: usize, channel: ChannelIndex) {
        let known = &self.nodes[node];
        if let Some(expected) = &known.expected[channel]
            && let Some((replica, member)) = self.member(node, channel)
        {
            self.chronicle.after_step(node, replica, member, expected);
        }
    }

    /// A channel in a node's process.
    pub(crate) fn member(&self, node: usize, channel: ChannelIndex) -> Option<(&Replica, &Member)> {
        let process = self.nodes[node].process.as_ref()?;
        process.shard.get(self.channels[channel].uid)
    }

    pub(crate) fn member_mut(&mut self, node: usize, channel: ChannelIndex) -> Option<&mut Member> {
        let process = self.nodes[node].process.as_mut()?;
        let (_, member) = process.shard.get_mut(self.channels[channel].uid)?;
        Some(member)
    }

    /// Sets the node's timer to the earliest deadline of its channels.
    fn arm(&mut self, node: usize) {
        let known = &mut self.nodes[node];
        let start = known.starts;
        let Some(process) = &mut known.process else {
            return;
        };
        let Some(earliest) = process.shard.next_deadline() else {
            return;
        };
        let at = known.clock.when(earliest).max(self.now);
        if at < process.timer_at {
            process.timer_at = at;
            self.at(at - self.now, Event::Timer { node, start });
        }
    }

    /// A timer has gone off.
    pub(crate) fn timer(&mut self, node: usize) {
        if let Some(process) = &mut self.nodes[node].process {
            process.timer_at = u64::MAX;
        }
        self.turn(node, Shard::tick);
        self.settle_soon(node);
    }

    /// Earns the rows of all channels, as the task that owns them does each interval.
    pub(crate) fn stamp_all(&mut self, node: usize) {
        let now = self.nodes[node].clock.read(self.now).mono;
        if let Some(Process { shard, hub, .. }) = &mut self.nodes[node].process {
            let owed = hub.alive(super::KEEPER, now);
            for stamp in shard.stamps_due(&owed) {
                hub.stamp(&stamp, now);
            }
        }
    }
}
