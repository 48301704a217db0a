//! How processes end, stand still and go on, and whom a fault strikes.

use tetrarch_replica::Input;
use tetrarch_wire::ReplicaRole;

use crate::{
    timeline::Mark,
    world::{ELECTION_TIMEOUT, Event, MS, World},
};

impl World {
    /// The power of a node is cut: what was not synced is lost, kept or torn, block by block.
    pub(crate) fn cut_power(&mut self, node: usize) {
        self.note_fault("power cut", node);
        let dice = &mut self.dice;
        let known = &mut self.nodes[node];
        let Some(process) = &mut known.process else {
            return;
        };
        // In the middle of whatever it is doing.
        let step = known.disk.steps() + dice.below(12);
        if let Some(group) = process.writing.take() {
            known.disk.cut_power_at(step);
            if process.writer.commit(&group.requests).is_ok() {
                self.tally.count("groups written and not told");
            }
            known.interrupted.push(group.tags);
        } else if dice.permille(500) {
            known.disk.cut_power_at(step);
            if process.flusher.flush(1 << 20).is_err() {
                self.tally.count("interrupted flushes");
            }
        }
        let crashed = known.disk.crash(&mut |choices| dice.index(choices));
        known.process = None;
        known.disk = crashed;
        let room = known.room;
        self.nodes[node].set_room(room);
        self.ended(node);
    }

    /// The process is killed: the kernel keeps what it was given.
    pub(crate) fn kill(&mut self, node: usize) {
        let known = &mut self.nodes[node];
        let Some(mut process) = known.process.take() else {
            return;
        };
        if let Some(group) = process.writing.take() {
            if self.dice.permille(500) && process.writer.commit(&group.requests).is_ok() {
                self.tally.count("groups written and not told");
            }
            known.interrupted.push(group.tags);
        }
        drop(process);
        self.tally.count("kills");
        self.ended(node);
    }

    /// A node is asked to stop: it hands over what it leads.
    pub(crate) fn stop(&mut self, node: usize) {
        if !self.nodes[node].is_running() || self.nodes[node].paused_since.is_some() {
            return;
        }
        self.note_fault("stop", node);
        for channel in self.held_by(node) {
            let leads = self
                .member(node, channel)
                .is_some_and(|(_, member)| member.role == ReplicaRole::Leader);
            if leads {
                let ticket = self.ticket();
                let order = Input::Transfer {
                    ticket,
                    to: None,
                    forced: true,
                };
                self.step(node, channel, order);
            }
        }
        let delay = self.dice.below(300) * MS;
        let start = self.nodes[node].starts;
        self.at(delay, Event::Close { node, start });
    }

    /// It closes its channels and ends.
    pub(crate) fn close(&mut self, node: usize) {
        for channel in self.held_by(node) {
            self.step(node, channel, Input::Close);
        }
        self.kill(node);
    }

    fn ended(&mut self, node: usize) {
        self.trace.say(self.now, node, || "ends".to_owned());
        self.trace.mark(self.now, node, || Mark::Down);
        self.nodes[node].paused_since = None;
        self.nodes[node].waiting.clear();
        for peer in 0..self.nodes.len() {
            if peer != node {
                self.disconnect(node, peer);
            }
        }
        let delay = self.dice.between(1, 1500) * MS;
        self.at(delay, Event::Start { node });
    }

    pub(crate) fn pause(&mut self, node: usize) {
        if self.nodes[node].is_running() && self.nodes[node].paused_since.is_none() {
            self.note_fault("pause", node);
            self.nodes[node].paused_since = Some(self.now);
            self.trace.say(self.now, node, || "is suspended".to_owned());
            self.trace.mark(self.now, node, || Mark::Suspended);
            let delay = self.dice.between(50, 3000) * MS;
            self.at(delay, Event::Resume { node });
        }
    }

    /// The process goes on, with everything that has arrived in the meantime.
    pub(crate) fn resume(&mut self, node: usize) {
        let Some(since) = self.nodes[node].paused_since.take() else {
            return;
        };
        self.trace.say(self.now, node, || "goes on".to_owned());
        self.trace.mark(self.now, node, || Mark::Resumed);
        let slept = self.now - since;
        let led = self.led_with_others(node);
        let waiting = std::mem::take(&mut self.nodes[node].waiting);
        if slept > 2 * ELECTION_TIMEOUT {
            self.chronicle.suspended_leaders(node, led);
        }
        for event in waiting {
            self.happen(event);
        }
        if let Some(process) = &mut self.nodes[node].process {
            process.timer_at = self.now;
            let start = self.nodes[node].starts;
            self.at(0, Event::Timer { node, start });
        }
    }

    /// The channels that a node leads and holds not alone.
    fn led_with_others(&self, node: usize) -> Vec<usize> {
        let Some(process) = &self.nodes[node].process else {
            return Vec::new();
        };
        let led = process.shard.iter().filter(|(_, replica, member)| {
            member.role == ReplicaRole::Leader && replica.config().voters().len() > 1
        });
        led.map(|(_, _, member)| member.channel).collect()
    }

    /// The role that a fault strikes: that of a leader if the node leads anything.
    pub(crate) fn role_of(&self, node: usize) -> ReplicaRole {
        let process = self.nodes[node].process.as_ref();
        let roles = process
            .into_iter()
            .flat_map(|p| p.shard.iter().map(|(_, _, member)| member.role));
        let mut roles: Vec<ReplicaRole> = roles.collect();
        roles.sort_by_key(|role| u8::from(*role));
        roles.first().copied().unwrap_or(ReplicaRole::Idle)
    }

    /// Counts a fault by the role that it strikes; one that strikes a node that does not run is none.
    pub(crate) fn note_fault(&mut self, fault: &str, node: usize) {
        if self.nodes[node].is_running() {
            let role = self.role_of(node);
            self.tally.fault(fault, role);
        }
    }

    pub(crate) fn a_leader(&mut self) -> Option<usize> {
        let nodes = 0..self.nodes.len();
        let leaders: Vec<usize> = nodes
            .filter(|node| self.role_of(*node) == ReplicaRole::Leader)
            .collect();
        (!leaders.is_empty()).then(|| leaders[self.dice.index(leaders.len())])
    }
}
