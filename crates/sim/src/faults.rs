//! What goes wrong: faults strike, and in the end everything is mended.

use crate::{
    node::FASTEST_READ,
    swarm::{EIO, ENOSPC, Fault},
    timeline::Mark,
    world::{ChannelIndex, Event, MS, World},
};

impl World {
    fn isolate(&mut self, node: usize) {
        self.note_fault("isolation", node);
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            self.disconnect(node, other);
        }
    }

    /// Nodes talk within their part only.
    fn partition(&mut self, part_of: &[usize]) {
        for a in 0..self.nodes.len() {
            for b in 0..a {
                if part_of[a] != part_of[b] {
                    self.disconnect(a, b);
                }
            }
        }
    }

    fn heal_network(&mut self) {
        for a in 0..self.nodes.len() {
            for b in 0..a {
                self.unblock(a, b);
                self.unblock(b, a);
                self.reconnect(a, b);
            }
        }
    }

    pub(crate) fn fault(&mut self) {
        let Some((fault, next)) = self.swarm.next_fault(&mut self.dice) else {
            return;
        };
        self.at(next, Event::Fault);
        self.strike(fault);
    }

    fn strike(&mut self, fault: Fault) {
        self.trace.say(self.now, 0, || format!("fault: {fault:?}"));
        self.trace.mark(self.now, fault.place(), || {
            Mark::Fault(format!("{fault:?}"))
        });
        let nodes = self.nodes.len();
        match fault {
            Fault::CutPower(node) => self.cut_power(node),
            Fault::CutAllPower => (0..nodes).for_each(|node| self.cut_power(node)),
            Fault::Kill(node) => {
                if self.nodes[node].is_running() {
                    self.note_fault("kill", node);
                    self.kill(node);
                }
            }
            Fault::Stop(node) => self.stop(node),
            Fault::Pause(node) => self.pause(node),
            Fault::CutPowerOfLeader => {
                if let Some(node) = self.a_leader() {
                    self.cut_power(node);
                }
            }
            Fault::IsolateLeader => {
                if let Some(node) = self.a_leader() {
                    self.isolate(node);
                }
            }
            Fault::Isolate(node) => self.isolate(node),
            Fault::Partition => {
                self.tally.count("partitions");
                let parts: Vec<usize> = (0..nodes).map(|_| self.dice.index(2)).collect();
                self.partition(&parts);
            }
            Fault::Bridge(node) => {
                // Two halves that see only one node in common.
                self.tally.count("bridges");
                for a in (0..nodes).filter(|a| *a != node) {
                    for b in (0..a).filter(|b| *b != node && (a + b) % 2 == 1) {
                        self.disconnect(a, b);
                    }
                }
            }
            Fault::Cut(a, b) => self.disconnect(a, b),
            Fault::Deafen(from, to) => {
                self.note_fault("one-way loss", to);
                self.network.block(from, to);
                let connection = self.network.connection(from, to);
                let delay = self.dice.between(1_000, 10_000) * MS;
                self.at(
                    delay,
                    Event::TimeOut {
                        from,
                        to,
                        connection,
                    },
                );
            }
            Fault::Clog(from, to, time) => {
                self.note_fault("clogged link", to);
                self.network.clog(from, to, self.now + time);
            }
            Fault::Heal => self.heal_network(),
            Fault::SlowDisk(node, slowness) => self.nodes[node].slowness = slowness,
            Fault::SlowReads(node, slowness) => self.nodes[node].slowness_of_reads = slowness,
            Fault::FillDisk(node, room) => {
                self.note_fault("full disk", node);
                self.nodes[node].set_room(Some(room));
            }
            Fault::FreeDisk(node) => self.mend_disk(node),
            Fault::FailWrite(node, name, bytes, errno) => {
                self.note_fault("short write", node);
                self.nodes[node].disk.fail_next_write(name, bytes, errno);
                self.nodes[node].write_fails = true;
                self.nodes[node].sync_fails += u32::from(errno != ENOSPC);
            }
            Fault::FailSync(node, name) => {
                if self.nodes[node].is_running() {
                    self.note_fault("failed sync", node);
                    self.nodes[node].disk.fail_next_sync(name);
                    self.nodes[node].sync_fails += 1;
                }
            }
            Fault::FailReads(node, name) => {
                if self.may_be_damaged(node) {
                    self.note_fault("failed reads", node);
                    self.nodes[node].disk.fail_reads(Some(name));
                }
            }
            Fault::CutPowerAtStart(node, step) => {
                self.nodes[node].power_ends_in_start = Some(step);
                self.cut_power(node);
            }
            Fault::Damage(node) => self.damage(node),
            Fault::StepWallClock(node, milliseconds) => {
                self.tally.count("wall clock steps");
                self.nodes[node].clock.step_wall(milliseconds);
            }
        }
    }

    fn mend_disk(&mut self, node: usize) {
        self.nodes[node].set_room(None);
        self.nodes[node].disk.fail_reads(None);
    }

    /// Somebody was elected: trouble may follow while the first batches of the epoch are on their
    /// way.
    pub(crate) fn perhaps_hunt(&mut self, node: usize, channel: ChannelIndex) {
        if self.dice.permille(self.swarm.hunted) {
            let longest = self.dice.pick(&[2, 10, 60, 200]);
            let delay = self.dice.below(longest * MS);
            self.at(delay, Event::Hunt { node, channel });
        }
    }

    /// What is worst for a leader whose first batches are not everywhere yet.
    pub(crate) fn hunt(&mut self, node: usize, channel: ChannelIndex) {
        if self.swarm.hunted == 0 {
            return;
        }
        self.tally.count("leaders struck at once");
        let fault = match self.dice.index(8) {
            0 => Fault::CutPower(node),
            1 => Fault::Kill(node),
            2 => Fault::Pause(node),
            3 => Fault::Isolate(node),
            4 => return self.disturb_followers(node, channel),
            _ => {
                // One follower still hears it, and nobody else.
                let friend = self.any_holder(channel);
                for other in (0..self.nodes.len()).filter(|other| *other != friend) {
                    if other != node {
                        self.disconnect(node, other);
                    }
                }
                return;
            }
        };
        self.strike(fault);
    }

    /// Those that have to cut their logs for the new leader find their segments unwritable, or read
    /// slowly what they compare.
    fn disturb_followers(&mut self, leader: usize, channel: ChannelIndex) {
        let holders = self.channels[channel].holders.clone();
        for node in holders.into_iter().filter(|node| *node != leader) {
            let fault = match self.dice.index(3) {
                0 => Fault::FailWrite(node, "seg-", self.dice.index(2_000), EIO),
                1 => Fault::FailWrite(node, "seg-", 0, ENOSPC),
                _ => Fault::SlowReads(node, 3_000),
            };
            self.strike(fault);
        }
    }

    /// Ends everything that is wrong but on a minority, and starts everybody else.
    pub(crate) fn leave_a_core(&mut self) {
        self.swarm.stop();
        self.heal_network();
        let mut left = Vec::new();
        for node in 0..self.nodes.len() {
            let may_stay = self.dice.permille(300) && self.can_do_without(node, &left);
            if may_stay {
                left.push(node);
            } else {
                self.mend(node);
            }
        }
        for node in left {
            self.tally.count("nodes that were left behind");
            // A leader whose disk is slow is a leader all the same.
            self.hasten(node);
            match self.dice.index(4) {
                0 => self.isolate(node),
                1 => self.cut_power(node),
                2 => {
                    // Its disk is full, and it does all that it can do without one.
                    self.mend(node);
                    let room = self.swarm.room(&mut self.dice);
                    self.nodes[node].set_room(Some(room));
                }
                _ => {}
            }
        }
    }

    /// Whether every channel has a majority without this node and those.
    fn can_do_without(&self, node: usize, those: &[usize]) -> bool {
        let mut channels = self.channels.iter().enumerate();
        channels.all(|(index, channel)| {
            // Which of its configurations is in force is for its leader to know.
            if !self.is_placed(index) && channel.holders.contains(&node) {
                return false;
            }
            let able = |holder: &&usize| {
                **holder != node && !those.contains(holder) && !self.damaged.contains(holder)
            };
            channel.holders.iter().filter(able).count() > channel.holders.len() / 2
        })
    }

    /// Ends everything that is wrong, and starts everybody.
    pub(crate) fn stop_faults(&mut self) {
        self.swarm.stop();
        for node in 0..self.nodes.len() {
            self.mend(node);
        }
        self.heal_network();
    }

    /// Its disk is as fast as ever.
    fn hasten(&mut self, node: usize) {
        self.nodes[node].slowness = 2;
        self.nodes[node].slowness_of_reads = FASTEST_READ;
    }

    fn mend(&mut self, node: usize) {
        self.mend_disk(node);
        self.nodes[node].nothing_fails_any_more();
        self.nodes[node].power_ends_in_start = None;
        self.hasten(node);
        if self.nodes[node].paused_since.is_some() {
            self.at(0, Event::Resume { node });
        }
        if !self.nodes[node].is_running() {
            self.at(0, Event::Start { node });
        }
    }
}
