//! The beats of a node: the shipped hub is given the time, its frames travel, its facts reach the
//! channels.

use tetrarch_replica::{
    Lane, Moment,
    beat::{BeatEffects, BeatHub, BeatWay, ChannelFact, Repeat},
};
use tetrarch_wire::{Frame, NodeId};

use super::Node;
use crate::{
    network::{Packet, Way},
    world::{ChannelIndex, Event, World},
};

/// Beats of more pages go over the control stream (protocol §6).
const MAX_DATAGRAM_PAGES: u16 = 4;

impl World {
    /// An interval is over.
    pub(crate) fn beat_tick(&mut self, node: usize) {
        let start = self.nodes[node].starts;
        let interval = u64::try_from(self.settings.heartbeat.as_nanos()).unwrap_or(u64::MAX);
        self.at(interval, Event::BeatTick { node, start });
        self.stamp_all(node);
        self.mend_what_is_damaged(node);
        self.with_hub(node, |hub, now, effects| hub.tick(now, effects));
    }

    /// Urgent beats are due.
    pub(crate) fn beat_flush(&mut self, node: usize) {
        self.with_hub(node, |hub, now, effects| hub.flush(now, effects));
        self.arm_urgent(node);
    }

    /// A beat about the channel is wanted now.
    pub(crate) fn beat_now(&mut self, node: usize, channel: ChannelIndex) {
        let uid = self.channels[channel].uid;
        self.with_hub(node, |hub, now, effects| hub.beat_now(uid, now, effects));
        self.arm_urgent(node);
    }

    fn arm_urgent(&mut self, node: usize) {
        let known = &self.nodes[node];
        let start = known.starts;
        let urgent = known
            .process
            .as_ref()
            .and_then(|process| process.hub.urgent_at());
        if let Some(at) = urgent {
            let at = known.clock.when(at).max(self.now);
            self.at(at - self.now, Event::BeatFlush { node, start });
        }
    }

    /// A frame of the beats has arrived.
    pub(crate) fn beat_frame(&mut self, node: usize, from: usize, frame: Frame) {
        let peer = id(from);
        self.with_hub(node, |hub, now, effects| match frame {
            Frame::NodeBeat(beat) => {
                let way = if beat.pages > MAX_DATAGRAM_PAGES {
                    BeatWay::Control
                } else {
                    BeatWay::Datagram
                };
                hub.on_beat(peer, &beat, way, now, effects);
            }
            Frame::BeatAck(ack) => hub.on_ack(peer, &ack, now, effects),
            Frame::TableRequest(request) => hub.on_table_request(peer, request, now, effects),
            Frame::TablePage(page) => hub.on_table_page(peer, page, now, effects),
            other => panic!("{} is no part of a beat", other.frame_type().name()),
        });
    }

    /// There is a connection to a peer.
    pub(crate) fn peer_up(&mut self, node: usize, peer: usize) {
        let Some(boot) = self.nodes[peer]
            .process
            .as_ref()
            .map(|process| process.boot)
        else {
            return;
        };
        let voter = self.nodes[peer].voter;
        self.with_hub(node, |hub, _, effects| {
            hub.peer_up(id(peer), voter, boot, effects);
        });
    }

    /// There is none any more.
    pub(crate) fn peer_down(&mut self, node: usize, peer: usize) {
        if let Some(process) = &mut self.nodes[node].process {
            process.hub.peer_down(id(peer));
        }
    }

    fn with_hub(&mut self, node: usize, act: impl FnOnce(&mut BeatHub, Moment, &mut BeatEffects)) {
        let known = &mut self.nodes[node];
        let now = known.clock.read(self.now).mono;
        let Some(process) = &mut known.process else {
            return;
        };
        let mut effects = BeatEffects::default();
        act(&mut process.hub, now, &mut effects);
        for outgoing in effects.frames {
            let to = (0..self.nodes.len()).find(|other| id(*other) == outgoing.to);
            let way = match outgoing.way {
                BeatWay::Control => Way::Lane(Lane::Control),
                BeatWay::Datagram => Way::Datagram,
            };
            if let Some(to) = to {
                self.transmit(node, to, way, Packet::Beat(outgoing.frame));
            }
        }
        if effects.channels.is_empty() && effects.repeats.is_empty() {
            return;
        }
        // Another task than the one of the beats owns the channels.
        let start = self.nodes[node].starts;
        let facts = (effects.channels, effects.repeats);
        self.at(0, Event::Heard { node, start, facts });
    }

    /// Beats have said something of channels.
    pub(crate) fn heard(&mut self, node: usize, (facts, repeats): (Vec<ChannelFact>, Vec<Repeat>)) {
        for fact in &facts {
            let channel = self.index_of(fact.channel());
            self.trace
                .say(self.now, node, || format!("c{channel} <- {fact:?}"));
        }
        self.turn(node, |shard, turn| shard.on_beat(facts, &repeats, turn));
        self.settle_soon(node);
    }
}

fn id(node: usize) -> NodeId {
    Node::voter(node).node
}
