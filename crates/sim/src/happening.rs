//! What happens at its time: packets arrive, connections come and go, everything else goes to whom
//! it concerns.

use tetrarch_replica::{Input, PersistFailure};

use crate::{
    network::Packet,
    world::{Event, MS, World},
};

impl World {
    pub(crate) fn happen(&mut self, event: Event) {
        if let Some(node) = event.process()
            && self.nodes[node].paused_since.is_some()
        {
            self.nodes[node].waiting.push_back(event);
            return;
        }
        match event {
            Event::Arrive {
                from,
                to,
                connection,
                packet,
            } => {
                if connection == self.network.connection(from, to) {
                    self.arrive(from, to, *packet);
                }
            }
            Event::GroupWritten { node, start } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.group_written(node);
                }
            }
            Event::NotWritten {
                node,
                start,
                channel,
                token,
            } => {
                if self.nodes[node].process_of(start).is_some() {
                    let failure = PersistFailure::StorageFull;
                    self.step(node, channel, Input::PersistFailed { token, failure });
                }
            }
            Event::FlusherRuns { node, start } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.flusher_runs(node);
                }
            }
            Event::LogRead {
                node,
                start,
                channel,
                ticket,
                source,
                from,
                max_bytes,
            } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.read_log(node, channel, source, (ticket, from, max_bytes));
                }
            }
            Event::SnapshotSaved {
                node,
                start,
                channel,
                save,
                worked,
            } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.step(node, channel, Input::SnapshotSaved { save, worked });
                }
            }
            Event::Mend {
                node,
                start,
                channel,
                segment,
                batches,
            } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.mend_segment(node, channel, (segment, &batches));
                }
            }
            Event::Seal { node, start } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.seal_on(node);
                }
            }
            Event::Timer { node, start } => {
                let now = self.now;
                let process = self.nodes[node].process_of(start);
                if process.is_some_and(|process| process.timer_at <= now) {
                    self.timer(node);
                }
            }
            Event::BeatTick { node, start } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.beat_tick(node);
                }
            }
            Event::BeatFlush { node, start } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.beat_flush(node);
                }
            }
            Event::Created { channel } => self.created(channel),
            Event::Deleted { channel } => self.deleted(channel),
            Event::Placed { channel, version } => self.placed(channel, version),
            Event::HearsOf { node, channel } => self.hears_of(node, channel),
            Event::LookAtDisk { node, start } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.look_at_disk(node);
                }
            }
            Event::Heard { node, start, facts } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.heard(node, facts);
                }
            }
            Event::Settle { node, start } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.settle(node);
                }
            }
            Event::PeerLost { node, start, peer } => {
                let runs = self.nodes[node].process_of(start).is_some();
                if runs && !self.network.is_connected(node, peer) {
                    self.peer_down(node, peer);
                    let voter = self.nodes[peer].voter;
                    self.turn(node, |shard, turn| shard.peer_lost(voter, turn));
                    self.settle_soon(node);
                }
            }
            Event::PeerFound { node, start, peer } => {
                let runs = self.nodes[node].process_of(start).is_some();
                if runs && self.network.is_connected(node, peer) {
                    self.peer_up(node, peer);
                    let voter = self.nodes[peer].voter;
                    self.turn(node, |shard, turn| shard.peer_found(voter, turn));
                    self.settle_soon(node);
                }
            }
            Event::Produce { producer } => self.produce(producer),
            Event::GiveUp { producer, ticket } => self.give_up(producer, ticket),
            Event::Consume { consumer } => self.consume(consumer),
            Event::AskIndex { node, channel } => self.ask_index(node, channel),
            Event::Operate => self.operate(),
            Event::Fault => self.fault(),
            Event::Hunt { node, channel } => self.hunt(node, channel),
            Event::Resume { node } => self.resume(node),
            Event::Close { node, start } => {
                if self.nodes[node].process_of(start).is_some() {
                    self.close(node);
                }
            }
            Event::TimeOut {
                from,
                to,
                connection,
            } => {
                let is_same = connection == self.network.connection(from, to);
                if is_same && self.network.is_blocked(from, to) {
                    self.tally.count("connections that timed out");
                    self.disconnect(from, to);
                }
            }
            Event::Start { node } => self.start(node),
        }
        while let Some(node) = self.store_failed.pop_first() {
            self.kill(node);
        }
    }

    fn arrive(&mut self, from: usize, to: usize, packet: Packet) {
        match packet {
            Packet::Channel {
                channel,
                epoch,
                message,
            } => {
                let from = self.nodes[from].voter;
                self.step(
                    to,
                    channel,
                    Input::Message {
                        from,
                        epoch,
                        message,
                    },
                );
            }
            Packet::Beat(frame) => self.beat_frame(to, from, frame),
        }
    }

    pub(crate) fn reconnect(&mut self, a: usize, b: usize) {
        if !self.nodes[a].is_running() || !self.nodes[b].is_running() {
            return;
        }
        if self.network.connect(a, b) {
            for (node, peer) in [(a, b), (b, a)] {
                let delay = self.dice.below(5) * MS;
                let start = self.nodes[node].starts;
                self.at(delay, Event::PeerFound { node, start, peer });
            }
        }
    }

    pub(crate) fn disconnect(&mut self, a: usize, b: usize) {
        if self.network.cut(a, b) {
            for (node, peer) in [(a, b), (b, a)] {
                let delay = self.dice.below(200) * MS;
                let start = self.nodes[node].starts;
                self.at(delay, Event::PeerLost { node, start, peer });
            }
        }
    }
}
