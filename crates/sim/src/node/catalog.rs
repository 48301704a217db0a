//! What the catalog tells a node: channels are created, moved and deleted while it runs, and it learns of it
//! in its own time.

use std::rc::Rc;

use tetrarch_log::{Holding, WriteOp};
use tetrarch_replica::{
    Input,
    catalog::{Catalog, CatalogChange},
    membership::ReplicaSet,
};
use tetrarch_wire::{
    Retention, Seq,
    frame::{CatalogCommand, ChannelEntry, LabelFilter},
};

use super::Node;
use crate::{
    check::Expected,
    world::{Channel, ChannelIndex, Event, MS, World},
};

/// The catalog, which is always there. The commands are folded by the shipped code.
#[derive(Default)]
pub(crate) struct SimCatalog {
    fold: Catalog,
    last: Seq,
}

impl SimCatalog {
    /// All channels of a run are in it from the beginning; nobody looks at one before it is created.
    pub(crate) fn new(channels: &[Channel]) -> Self {
        let mut catalog = Self::default();
        for (index, channel) in channels.iter().enumerate() {
            let change = catalog.apply(&CatalogCommand::Create(ChannelEntry {
                name: format!("c{index}"),
                uid: channel.uid,
                genesis: channel.genesis.clone(),
                retention: Retention::FOREVER,
                filter: LabelFilter::default(),
                first_leader: channel.genesis.voter_ids()[0],
            }));
            assert!(matches!(change, CatalogChange::Created(_)), "{change:?}");
        }
        catalog
    }

    fn apply(&mut self, command: &CatalogCommand) -> CatalogChange {
        self.last = self.last.next();
        self.fold.apply(self.last, command)
    }

    fn set(&self, channel: &Channel) -> &ReplicaSet {
        let set = self.fold.replica_set(channel.uid);
        set.expect("every channel is in the catalog")
    }
}

impl World {
    /// Some channels are not there from the beginning, and some do not stay.
    pub(crate) fn plan_births_and_deaths(&mut self) {
        for channel in 1..self.channels.len() {
            let mut born = 0;
            if self.dice.permille(self.swarm.late_births) {
                born = self.dice.below(self.swarm.duration / 2);
                self.channels[channel].known_to.clear();
                self.channels[channel].is_created = false;
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
        self.channels[channel].is_created = true;
        self.tell_everybody(channel, &[]);
    }

    /// It is not in the catalog any more.
    pub(crate) fn deleted(&mut self, channel: ChannelIndex) {
        self.tally.count("channels deleted");
        self.channels[channel].is_deleted = true;
        self.tell_everybody(channel, &[]);
    }

    /// Somebody wants the channel elsewhere: one voter exchanged, one more or one less, or all others.
    pub(crate) fn move_somewhere(&mut self, channel: ChannelIndex) {
        let created = &self.channels[channel];
        if created.is_deleted || !created.is_created {
            return;
        }
        let mut wanted: Vec<usize> = self.wanted_on(channel);
        let (holders, given_up) = (&created.holders, &created.given_up_by);
        let is_free = |node: &usize| !holders.contains(node) && !given_up.contains(node);
        let free = (0..self.nodes.len()).filter(is_free);
        let mut free: Vec<usize> = free.collect();
        let (leave, come) = match self.dice.index(4) {
            0 => (1, 0),
            1 => (0, 1),
            2 => (1, 1),
            _ => (wanted.len(), 3),
        };
        for _ in 0..come.min(free.len()) {
            let one = self.dice.index(free.len());
            wanted.push(free.remove(one));
        }
        for _ in 0..leave {
            if wanted.len() > 1 {
                let one = self.dice.index(wanted.len());
                wanted.remove(one);
            }
        }
        let voters = wanted.iter().map(|node| Node::voter(*node)).collect();
        let uid = self.channels[channel].uid;
        self.tally.count("moves ordered");
        self.command(channel, &CatalogCommand::Place { uid, voters });
    }

    /// A leader says that a move is complete.
    pub(crate) fn placed(&mut self, channel: ChannelIndex, version: u64) {
        let uid = self.channels[channel].uid;
        self.command(channel, &CatalogCommand::Placed { uid, version });
    }

    fn command(&mut self, channel: ChannelIndex, command: &CatalogCommand) {
        match self.catalog.apply(command) {
            CatalogChange::Placed(_, set) => {
                if set.is_settled() {
                    self.tally.count("moves carried out");
                }
                let holds = |node: &usize| set.is_held_by(self.nodes[*node].voter);
                let holders: Vec<usize> = (0..self.nodes.len()).filter(holds).collect();
                let before = std::mem::replace(&mut self.channels[channel].holders, holders);
                self.tell_everybody(channel, &before);
            }
            CatalogChange::Refused(_) => self.tally.count("moves refused"),
            other => panic!("{other:?} by {command:?}"),
        }
    }

    fn wanted_on(&self, channel: ChannelIndex) -> Vec<usize> {
        let set = self.catalog.set(&self.channels[channel]);
        let wants = |node: &usize| set.wants(self.nodes[*node].voter);
        (0..self.nodes.len()).filter(wants).collect()
    }

    /// Who votes in the channel as the replica on this node has it.
    pub(super) fn voters_by(&self, node: usize, channel: ChannelIndex) -> Option<Rc<[usize]>> {
        let (replica, _) = self.member(node, channel)?;
        let config = replica.config();
        let votes = |one: &usize| config.contains(self.nodes[*one].voter);
        Some((0..self.nodes.len()).filter(votes).collect())
    }

    /// Whether everybody who is wanted votes in the channel and nobody else holds it.
    pub(crate) fn is_placed(&self, channel: ChannelIndex) -> bool {
        let channel = &self.channels[channel];
        channel.is_deleted || self.catalog.set(channel).is_settled()
    }

    /// I27: in the end every move is complete.
    pub(crate) fn i27_every_move_is_carried_out(&self) {
        for channel in 0..self.channels.len() {
            assert!(
                self.is_placed(channel),
                "I27: channel {channel} is not where it was wanted: {:?}",
                self.catalog.set(&self.channels[channel])
            );
        }
    }

    /// Whether the node is to have the channel in its store.
    pub(crate) fn is_held(&self, node: usize, channel: ChannelIndex) -> bool {
        let channel = &self.channels[channel];
        !channel.is_deleted && channel.holders.contains(&node)
    }

    /// Everybody who holds the channel, and those who held it before, read it in their own time.
    fn tell_everybody(&mut self, channel: ChannelIndex, before: &[usize]) {
        let mut nodes = self.channels[channel].holders.clone();
        nodes.extend(before);
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let delay = self.dice.below(3_000) * MS;
            self.at(delay, Event::HearsOf { node, channel });
        }
    }

    /// A node that has started knows what is in the catalog after a while.
    pub(super) fn reads_catalog(&mut self, node: usize) {
        if self.swarm.may_move() {
            for channel in 0..self.channels.len() {
                let delay = self.dice.below(1_000) * MS;
                self.at(delay, Event::HearsOf { node, channel });
            }
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
        } else if !self.is_held(node, channel) {
            if known.expected[channel].is_some() && self.member(node, channel).is_some() {
                self.tally.count("channels released");
                self.releases(node, channel);
            }
        } else if self.channels[channel].is_created {
            if self.is_releasing(node, channel) {
                self.at(100 * MS, Event::HearsOf { node, channel });
                return;
            }
            if self.channels[channel].known_to.insert(node) && self.member(node, channel).is_none()
            {
                self.takes_up(node, channel);
            }
            let set = self.catalog.set(&self.channels[channel]).clone();
            if set.version() > 0 {
                let network = &self.network;
                let peers = (0..self.nodes.len()).filter(|peer| network.is_connected(node, *peer));
                let peers: Vec<_> = peers.map(|peer| self.nodes[peer].voter).collect();
                let uid = self.channels[channel].uid;
                self.trace
                    .say(self.now, node, || format!("c{channel} <- {set:?}"));
                let is_connected = |voter| peers.contains(&voter);
                self.turn(node, |shard, turn| {
                    shard.placed(uid, set, is_connected, turn);
                });
                self.settle_soon(node);
            }
        }
    }

    fn takes_up(&mut self, node: usize, channel: ChannelIndex) {
        if self.nodes[node].expected[channel].is_none() {
            if self.channels[channel].given_up_by.contains(&node) {
                return;
            }
            let origin = self.channels[channel].genesis.genesis_link();
            let origin = tetrarch_wire::LogPosition::origin(origin);
            self.nodes[node].expected[channel] = Some(Expected::new(origin));
        }
        let Some(mut process) = self.nodes[node].process.take() else {
            return;
        };
        let uid = self.channels[channel].uid;
        match process.reader.holding(uid) {
            Holding::Released {
                hard_state,
                reached,
                releases,
                ..
            } => {
                self.tally.count("channels that came back");
                self.open_again(node, channel, (hard_state, reached, releases), &mut process);
            }
            Holding::Never | Holding::Held { .. } => {
                let parts = (&mut process.shard, &mut process.queue);
                self.open_new(node, channel, None, parts);
            }
        }
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

    /// Others hold the channel now.
    fn releases(&mut self, node: usize, channel: ChannelIndex) {
        let uid = self.channels[channel].uid;
        if let Some(process) = &mut self.nodes[node].process {
            let releases = process.reader.holding(uid).releases() + 1;
            process.releasing.insert(channel, releases);
        }
        self.leaves(node, channel, Input::Deselect, WriteOp::Release);
    }

    /// Whether the store is to let go of the channel and has not yet. What the node knows of its promise
    /// may not be the latest then.
    fn is_releasing(&mut self, node: usize, channel: ChannelIndex) -> bool {
        let uid = self.channels[channel].uid;
        let Some(process) = &mut self.nodes[node].process else {
            return false;
        };
        let holding = process.reader.holding(uid);
        process
            .releasing
            .retain(|one, releases| *one != channel || !holding.is_released(*releases));
        process.releasing.contains_key(&channel)
    }

    /// The channel exists no more.
    fn lets_go(&mut self, node: usize, channel: ChannelIndex) {
        self.leaves(node, channel, Input::Close, WriteOp::Delete);
        self.forget(node, channel);
    }

    fn leaves(&mut self, node: usize, channel: ChannelIndex, last: Input, order: WriteOp) {
        self.channels[channel].known_to.remove(&node);
        self.step(node, channel, last);
        let created = &self.channels[channel];
        if let Some(process) = &mut self.nodes[node].process {
            drop(process.shard.remove(created.uid));
            process.hub.forget(created.uid);
            super::store::order(&mut process.queue, created, channel, vec![order]);
        }
        self.write_next(node);
    }
}
