//! Hubs that talk to each other without a network in between, or with a bad one.

mod convergence;
mod cost;
mod rows;
mod standing;
mod tables;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tetrarch_wire::{
    Boot, ChannelUid, Epoch, Frame, NodeId, ReplicaRole, Seq, VoterId,
    frame::{BeatAck, ChannelBeat, NodeBeat},
};

use super::*;
use crate::{Input, Moment};

const INTERVAL: Duration = Duration::from_millis(150);

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn voter(number: u8) -> VoterId {
    VoterId::from_bytes([100 + number; 16])
}

fn channel(number: u32) -> ChannelUid {
    ChannelUid::derive(&format!("c{number}"), &[0; 16])
}

/// Node `number`'s replicas elsewhere, if nodes 0 to `nodes - 1` hold the channel.
fn others(number: u8, nodes: u8) -> Vec<PeerReplica> {
    (0..nodes)
        .filter(|other| *other != number)
        .map(|other| PeerReplica {
            node: node(other),
            voter: voter(other),
        })
        .collect()
}

/// Node `leader` leads the channel in epoch `n` and has committed up to `commit`.
fn leading(leader: u8, of: ChannelUid, n: u64, commit: u64) -> LocalChannel {
    let epoch = Epoch::new(n, voter(leader));
    LocalChannel {
        channel: of,
        keeper: Keeper::default(),
        role: ReplicaRole::Leader,
        epoch_seen: epoch,
        leader: Some(voter(leader)),
        row: Some(ChannelBeat {
            channel: of,
            role: ReplicaRole::Leader,
            epoch,
            durable: Seq::new(commit),
            tail: Seq::new(commit),
            commit: Seq::new(commit),
        }),
        replicas: others(leader, 3).into(),
    }
}

/// Node `follower` follows `leader` in epoch `n`.
fn following(follower: u8, of: ChannelUid, n: u64, leader: u8) -> LocalChannel {
    LocalChannel {
        channel: of,
        keeper: Keeper::default(),
        role: ReplicaRole::Replica,
        epoch_seen: Epoch::new(n, voter(leader)),
        leader: Some(voter(leader)),
        row: None,
        replicas: others(follower, 3).into(),
    }
}

/// A few hubs, the frames between them, and what they have learned.
struct Mesh {
    hubs: Vec<BeatHub>,
    now: Moment,
    flight: VecDeque<(u8, OutgoingFrame)>,
    facts: Vec<(u8, ChannelFact)>,
    /// What the actors of each node keep.
    repeats: Vec<Repeats>,
    told: BTreeMap<(u8, ChannelUid), Told>,
    /// Facts and repetitions that hubs gave out.
    given: usize,
}

impl Mesh {
    /// Hubs 0 to `count - 1`, each connected to all others.
    fn new(count: u8) -> Self {
        let mut mesh = Self {
            hubs: (0..count)
                .map(|_| BeatHub::new(Boot::new(1), BeatSettings::default()))
                .collect(),
            now: Moment::from_nanos(1_000_000_000),
            flight: VecDeque::new(),
            facts: Vec::new(),
            repeats: vec![Repeats::default(); usize::from(count)],
            told: BTreeMap::new(),
            given: 0,
        };
        for one in 0..count {
            for other in (0..count).filter(|other| *other != one) {
                mesh.on(one, |hub, effects| {
                    hub.peer_up(node(other), voter(other), Boot::new(1), effects);
                });
            }
        }
        mesh
    }

    /// Lets something happen at a hub and collects what comes out.
    fn on(&mut self, at: u8, what: impl FnOnce(&mut BeatHub, &mut BeatEffects)) {
        let mut effects = BeatEffects::default();
        what(&mut self.hubs[usize::from(at)], &mut effects);
        self.flight
            .extend(effects.frames.into_iter().map(|frame| (at, frame)));
        self.given += effects.channels.len() + effects.repeats.len();
        for fact in effects.channels {
            self.told
                .entry((at, fact.channel()))
                .or_default()
                .note(&fact);
            self.facts.push((at, without_roll(fact)));
        }
        for repeat in effects.repeats {
            self.repeats[usize::from(at)].note(repeat);
            self.look_at_all(at);
        }
    }

    /// Every channel of a node is told what was repeated.
    fn look_at_all(&mut self, at: u8) {
        let hub = &self.hubs[usize::from(at)];
        self.told
            .retain(|(node, channel), _| *node != at || hub.channels.contains_key(channel));
        let of_node = self.told.iter_mut().filter(|((node, _), _)| *node == at);
        for ((_, channel), told) in of_node {
            let epoch_seen = hub
                .channels
                .get(channel)
                .map_or(Epoch::NONE, |known| known.local.epoch_seen);
            let due = told.due(&self.repeats[usize::from(at)], epoch_seen);
            let facts = due.into_iter().map(|input| (at, fact_of(*channel, &input)));
            self.facts.extend(facts);
        }
    }

    /// The node ends, and begins again with nothing.
    fn restart(&mut self, at: u8, boot: Boot) {
        self.hubs[usize::from(at)] = BeatHub::new(boot, BeatSettings::default());
        self.repeats[usize::from(at)] = Repeats::default();
        self.told.retain(|(node, _), _| *node != at);
    }

    fn stamp(&mut self, at: u8, local: &LocalChannel) {
        let now = self.now;
        self.on(at, |hub, _| hub.stamp(local, now));
    }

    /// Stamps again what was stamped last, as living actors do.
    fn restamp(&mut self, at: u8) {
        let locals: Vec<LocalChannel> = self.hubs[usize::from(at)]
            .channels
            .values()
            .map(|stamped| stamped.local.clone())
            .collect();
        for local in locals {
            self.stamp(at, &local);
        }
    }

    /// Lets an interval pass at all hubs; nothing is delivered.
    fn pass(&mut self) {
        self.now = self.now.plus(INTERVAL);
    }

    fn tick(&mut self, at: u8) {
        let now = self.now;
        self.on(at, |hub, effects| hub.tick(now, effects));
    }

    fn deliver(&mut self, from: u8, sent: OutgoingFrame) {
        let now = self.now;
        let to = sent.to.as_bytes()[0];
        self.on(to, |hub, effects| hand(hub, from, sent, now, effects));
    }

    /// Delivers everything, and what that gives rise to.
    fn settle(&mut self) {
        while let Some((from, sent)) = self.flight.pop_front() {
            self.deliver(from, sent);
        }
    }

    /// An interval of a healthy mesh.
    fn round(&mut self) {
        self.pass();
        let count = u8::try_from(self.hubs.len()).unwrap();
        for at in 0..count {
            self.restamp(at);
        }
        for at in 0..count {
            self.tick(at);
        }
        self.settle();
    }

    fn take_facts(&mut self) -> Vec<(u8, ChannelFact)> {
        std::mem::take(&mut self.facts)
    }

    /// What hub `at` holds of the table of `of`, in the order of the channels.
    fn heard(&self, at: u8, of: u8) -> Vec<ChannelBeat> {
        let peer = &self.hubs[usize::from(at)].peers[&node(of)];
        peer.heard.rows().copied().collect()
    }

    /// What hub `at` tells `to` that it leads.
    fn led(&self, at: u8, to: u8) -> Vec<ChannelBeat> {
        let peer = &self.hubs[usize::from(at)].peers[&node(to)];
        peer.led.rows().map(|row| row.beat).collect()
    }
}

fn hand(hub: &mut BeatHub, from: u8, sent: OutgoingFrame, now: Moment, effects: &mut BeatEffects) {
    let from = node(from);
    match sent.frame {
        Frame::NodeBeat(beat) => hub.on_beat(from, &beat, sent.way, now, effects),
        Frame::BeatAck(ack) => hub.on_ack(from, &ack, now, effects),
        Frame::TableRequest(request) => hub.on_table_request(from, request, now, effects),
        Frame::TablePage(page) => hub.on_table_page(from, page, now, effects),
        other => panic!("a hub sent {other:?}"),
    }
}

fn beats(mesh: &Mesh) -> Vec<&NodeBeat> {
    mesh.flight
        .iter()
        .filter_map(|(_, sent)| match &sent.frame {
            Frame::NodeBeat(beat) => Some(beat),
            _ => None,
        })
        .collect()
}

fn acks(mesh: &Mesh) -> Vec<&BeatAck> {
    mesh.flight
        .iter()
        .filter_map(|(_, sent)| match &sent.frame {
            Frame::BeatAck(ack) => Some(ack),
            _ => None,
        })
        .collect()
}

fn encoded_len(frame: &Frame) -> usize {
    frame.to_bytes().unwrap().len()
}

fn without_roll(mut fact: ChannelFact) -> ChannelFact {
    match &mut fact {
        ChannelFact::LeaderHeard { roll, .. } | ChannelFact::BeatAcked { roll, .. } => {
            *roll = Roll::NONE;
        }
        ChannelFact::LeaderWithdrew { .. } => {}
    }
    fact
}

/// The fact that an input stands for.
fn fact_of(channel: ChannelUid, input: &Input) -> ChannelFact {
    match *input {
        Input::LeaderHeard { epoch, commit, at } => ChannelFact::LeaderHeard {
            channel,
            epoch,
            commit,
            roll: Roll::NONE,
            at,
        },
        Input::BeatAcked {
            voter,
            epoch,
            sent_at,
        } => ChannelFact::BeatAcked {
            channel,
            voter,
            epoch,
            roll: Roll::NONE,
            sent_at,
        },
        ref other => panic!("nothing else is repeated: {other:?}"),
    }
}
