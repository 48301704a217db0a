//! What the catalog tells a node: channels are created and deleted while it runs, and it learns of it in
//! its own time.

use tetrarch_log::WriteOp;
use tetrarch_replica::Input;

use crate::world::{ChannelIndex, Event, MS, World};

impl World {
    /// Some channels are not there from the beginning, and some do not stay.
    pub(crate) fn plan_births_and_deaths(&mut self) {
        for channel in 1..self.channels.len() {
            let mut born = 0;
            if self.dice.permille(self.swarm.late_births) {
                born = self.dice.below(self.swarm.duration / 2);
                self.channels[channel].known_to.clear();
                self.at(born, Event::Created { channel });
            }
            if self.dice.permille(self.swarm.deaths) {
                let dies = born + self.dice.below(self.swarm.duration / 2);
                self.at(dies, Event::Deleted { channel });
            }
        }
    }

    /// It is in the catalog from now on.
    pub(crate) fn created(&mut self, channel: ChannelIndex) {
        self.tally.count("channels created");
        for node in self.channels[channel].holders.clone() {
            let delay = self.dice.below(3_000) * MS;
            self.at(delay, Event::HearsOf { node, channel });
        }
    }

    /// It is not in the catalog any more.
    pub(crate) fn deleted(&mut self, channel: ChannelIndex) {
        self.tally.count("channels deleted");
        self.channels[channel].is_deleted = true;
        for node in self.channels[channel].holders.clone() {
            let delay = self.dice.below(3_000) * MS;
            self.at(delay, Event::HearsOf { node, channel });
        }
    }

    /// The node reads in the catalog what has become of the channel.
    pub(crate) fn hears_of(&mut self, node: usize, channel: ChannelIndex) {
        let known = &self.nodes[node];
        if !known.is_running() || known.paused_since.is_some() {
            let again = self.dice.between(50, 500) * MS;
            self.at(again, Event::HearsOf { node, channel });
        } else if self.channels[channel].is_deleted {
            self.lets_go(node, channel);
        } else if self.channels[channel].known_to.insert(node) {
            self.takes_up(node, channel);
        }
    }

    fn takes_up(&mut self, node: usize, channel: ChannelIndex) {
        if self.nodes[node].expected[channel].is_none() {
            return;
        }
        let Some(mut process) = self.nodes[node].process.take() else {
            return;
        };
        self.open_new(node, channel, &mut process.shard, &mut process.queue);
        self.nodes[node].process = Some(process);
        self.write_next(node);
        self.select(node, channel);
    }

    /// A channel that was taken up begins to take part.
    pub(super) fn select(&mut self, node: usize, channel: ChannelIndex) {
        self.step(node, channel, Input::Select);
        for peer in self.channels[channel].holders.clone() {
            if peer != node && self.network.is_connected(node, peer) {
                let peer = self.nodes[peer].voter;
                self.step(node, channel, Input::PeerFound { peer });
            }
        }
    }

    fn lets_go(&mut self, node: usize, channel: ChannelIndex) {
        self.channels[channel].known_to.remove(&node);
        self.step(node, channel, Input::Close);
        self.nodes[node].expected[channel] = None;
        let created = &self.channels[channel];
        if let Some(process) = &mut self.nodes[node].process {
            drop(process.shard.remove(created.uid));
            process.hub.forget(created.uid);
            super::store::order(&mut process.queue, created, channel, WriteOp::Delete);
        }
        self.write_next(node);
    }
}
