//! What happens at its time: starts, crashes, pauses, connections that come and go, faults.

use tetrarch_replica::Input;
use tetrarch_wire::ReplicaRole;

use super::{
    faults::Fault,
    world::{ELECTION_TIMEOUT, Event, HEARTBEAT, MS, World},
};

impl World {
    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive {
                from,
                to,
                connection,
                packet,
            } => {
                if connection == self.links.connection(from, to) {
                    self.arrive(from, to, packet);
                }
            }
            Event::Written { node, boot, token } => self.written(node, boot, token),
            Event::Read {
                node,
                boot,
                ticket,
                from,
                max_bytes,
            } => {
                if self.nodes[node].boot == boot {
                    let result = self.nodes[node].disk.read(from, max_bytes);
                    self.step(node, Input::LogRead { ticket, result });
                }
            }
            Event::Tick { node, boot } => {
                if self.nodes[node].boot == boot && self.nodes[node].next_tick <= self.now {
                    self.nodes[node].next_tick = u64::MAX;
                    self.step(node, Input::Tick);
                }
            }
            Event::Beats { node, boot } => {
                if self.nodes[node].boot == boot && self.nodes[node].is_running() {
                    self.at(HEARTBEAT, Event::Beats { node, boot });
                    self.send_beats(node);
                }
            }
            Event::Flush { node, boot } => {
                if self.nodes[node].boot == boot {
                    self.step(node, Input::Flush);
                }
            }
            Event::Client { client } => self.client_acts(client),
            Event::Forgotten { client, ticket } => {
                if self
                    .clients
                    .get(client)
                    .is_some_and(|c| c.waiting_for == Some(ticket))
                {
                    self.clients[client].node = self.dice.index(self.nodes.len());
                    self.clients[client].waiting_for = None;
                    self.at(0, Event::Client { client });
                }
            }
            Event::Housekeeping => self.housekeeping(),
            Event::Fault => self.fault(),
            Event::Resume { node } => self.resume(node),
            Event::Start { node } => self.start(node),
            Event::Lost { node, peer } => {
                if !self.links.is_connected(node, peer) {
                    let peer = self.nodes[peer].id;
                    self.step(node, Input::PeerLost { peer });
                }
            }
            Event::Found { node, peer } => {
                if self.links.is_connected(node, peer) {
                    let peer = self.nodes[peer].id;
                    self.step(node, Input::PeerFound { peer });
                }
            }
        }
    }

    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].is_running() {
            return;
        }
        let (channel, now) = (self.channel, self.now);
        let mut settings = self.settings.clone();
        settings.stand_first = node == 0;
        self.nodes[node].start(channel, &self.config, settings, now);
        self.tell(|| format!("n{node} starts: {:?}", self.nodes[node].disk.tail()));
        let boot = self.nodes[node].boot;
        let phase = self.dice.below(HEARTBEAT);
        self.at(phase, Event::Beats { node, boot });
        self.step(node, Input::Select);
        for peer in 0..self.nodes.len() {
            if peer != node && self.nodes[peer].is_running() {
                self.reconnect(node, peer);
            }
        }
    }

    pub(crate) fn reconnect(&mut self, a: usize, b: usize) {
        if !self.nodes[a].is_running() || !self.nodes[b].is_running() {
            return;
        }
        if self.links.connect(a, b) {
            let delay = self.dice.below(5) * MS;
            self.at(delay, Event::Found { node: a, peer: b });
            self.at(delay, Event::Found { node: b, peer: a });
        }
    }

    pub(crate) fn disconnect(&mut self, a: usize, b: usize) {
        if self.links.cut(a, b) {
            for (node, peer) in [(a, b), (b, a)] {
                let delay = self.dice.below(200) * MS;
                self.at(delay, Event::Lost { node, peer });
            }
        }
    }

    pub(crate) fn crash(&mut self, node: usize) {
        if !self.nodes[node].is_running() {
            return;
        }
        self.tally.crashes += 1;
        self.tell(|| format!("n{node} crashes"));
        // Some of what was on its way to the disk arrived there all the same.
        let kept = self.dice.index(self.nodes[node].disk.pending.len() + 1);
        for _ in 0..kept {
            self.nodes[node].disk.apply_next();
            self.chronicle
                .i4_promises_never_go_back(node, &self.nodes[node]);
        }
        self.nodes[node].disk.pending.clear();
        self.nodes[node].replica = None;
        self.nodes[node].boot += 1;
        self.nodes[node].next_tick = u64::MAX;
        self.nodes[node].paused_since = None;
        self.nodes[node].inbox.clear();
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
            self.nodes[node].paused_since = Some(self.now);
            self.tell(|| format!("n{node} is suspended"));
            let delay = self.dice.between(50, 3000) * MS;
            self.at(delay, Event::Resume { node });
        }
    }

    pub(crate) fn resume(&mut self, node: usize) {
        let Some(since) = self.nodes[node].paused_since.take() else {
            return;
        };
        self.tell(|| format!("n{node} goes on"));
        let slept = self.now - since;
        let led = self.nodes[node].role == ReplicaRole::Leader && self.nodes.len() > 1;
        let mut first = led && slept > 2 * ELECTION_TIMEOUT;
        let inbox = std::mem::take(&mut self.nodes[node].inbox);
        for input in inbox {
            let acked = self.tally.acked;
            self.step(node, input);
            if std::mem::take(&mut first) {
                self.chronicle.i12_a_suspended_leader_steps_down_first(
                    self.nodes[node].role,
                    self.tally.acked - acked,
                );
            }
        }
        let boot = self.nodes[node].boot;
        self.nodes[node].next_tick = self.now;
        self.at(0, Event::Tick { node, boot });
    }

    fn leaders(&self) -> std::vec::IntoIter<usize> {
        let leads = |node: &usize| self.nodes[*node].role == ReplicaRole::Leader;
        let leaders: Vec<usize> = (0..self.nodes.len()).filter(leads).collect();
        leaders.into_iter()
    }

    fn isolate(&mut self, node: usize) {
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            self.disconnect(node, other);
        }
    }

    pub(crate) fn fault(&mut self) {
        let Some((fault, next)) = self.plan.next(self.nodes.len(), &mut self.dice) else {
            return;
        };
        self.at(next, Event::Fault);
        self.tell(|| format!("fault: {fault:?}"));
        let nodes = self.nodes.len();
        match fault {
            Fault::Crash(node) => self.crash(node),
            Fault::CrashAll => (0..nodes).for_each(|node| self.crash(node)),
            Fault::Pause(node) => self.pause(node),
            Fault::CrashLeader => self.leaders().for_each(|node| self.crash(node)),
            Fault::IsolateLeader => self.leaders().for_each(|node| self.isolate(node)),
            Fault::Isolate(node) => self.isolate(node),
            Fault::Cut(a, b) => self.disconnect(a, b),
            Fault::Deafen(a, b) => self.links.way(a, b).blocked = true,
            Fault::Heal => {
                self.links.heal();
                for a in 0..nodes {
                    for b in 0..a {
                        self.reconnect(a, b);
                    }
                }
            }
            Fault::SlowDisk(node, slowness) => self.nodes[node].slowness = slowness,
            Fault::FillDisk(node) => self.nodes[node].disk.full = true,
            Fault::FreeDisk(node) => self.nodes[node].disk.full = false,
        }
    }
}
