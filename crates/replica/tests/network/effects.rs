//! A step of one node, and how its effects are carried out.

use tetrarch_fsm::LEGAL_TRANSITIONS;
use tetrarch_replica::{
    AdminOutcome, Context, Effect, Input, Lane, LogWrite, Moment, Now, PersistFailure,
    PersistToken, RoleChange,
};
use tetrarch_wire::{ReplicaRole, frame::ChannelMessage};

use super::{
    links::Packet,
    world::{Event, MS, World},
};

impl World {
    pub(crate) fn written(&mut self, node: usize, boot: u64, token: PersistToken) {
        if self.nodes[node].boot != boot {
            return;
        }
        let (done, ok) = self.nodes[node].disk.apply_next().unwrap();
        assert_eq!(done, token, "writes complete in order");
        self.chronicle
            .i4_promises_never_go_back(node, &self.nodes[node]);
        if ok {
            self.step(node, Input::Persisted { token });
        } else {
            self.tally.storage_full += 1;
            let failure = PersistFailure::StorageFull;
            self.step(node, Input::PersistFailed { token, failure });
        }
    }

    /// Gives one input to a node and carries the effects out.
    pub(crate) fn step(&mut self, node: usize, input: Input) {
        if self.nodes[node].paused_since.is_some() {
            self.nodes[node].inbox.push_back(input);
            return;
        }
        let flushes = !matches!(input, Input::Flush);
        let Some(mut replica) = self.nodes[node].replica.take() else {
            return;
        };
        self.tally.steps += 1;
        let mut effects = Vec::new();
        let now = Now {
            mono: Moment::from_nanos(self.now),
            wall_ms: self.now / MS,
        };
        if self.tell {
            let text = format!("{input:?}");
            self.tell(|| format!("n{node} <- {}", &text[..text.len().min(400)]));
        }
        replica.step(
            input,
            &mut Context {
                now,
                chance: &mut self.jitter,
                effects: &mut effects,
            },
        );
        self.nodes[node].next_tick = u64::MAX;
        if let Some(deadline) = replica.next_deadline() {
            let tick = deadline.as_nanos().max(self.now);
            self.nodes[node].next_tick = tick;
            let boot = self.nodes[node].boot;
            self.at(tick - self.now, Event::Tick { node, boot });
        }
        self.nodes[node].replica = Some(replica);
        for effect in effects {
            self.carry_out(node, effect);
        }
        self.chronicle.after_step(node, &self.nodes[node]);
        if flushes {
            let boot = self.nodes[node].boot;
            let delay = if self.dice.permille(800) { 0 } else { MS };
            if delay == 0 {
                self.step(node, Input::Flush);
            } else {
                self.at(delay, Event::Flush { node, boot });
            }
        }
    }

    pub(crate) fn carry_out(&mut self, node: usize, effect: Effect) {
        if self.tell {
            let text = format!("{effect:?}");
            self.tell(|| format!("n{node} -> {}", &text[..text.len().min(400)]));
        }
        self.remember(node, &effect);
        match effect {
            Effect::Persist { token, writes } => self.persist(node, token, writes),
            Effect::Send {
                to,
                epoch,
                message,
                lane,
            } => {
                self.chronicle
                    .i5_persistence_before_promise(node, &self.nodes, epoch, &message);
                if let ChannelMessage::Append(append) = &message {
                    self.chronicle.i6_log_matching(&append.batches);
                }
                if let ChannelMessage::SyncChunk(_) = &message {
                    self.tally.pulls += 1;
                }
                let to = self.nodes.iter().position(|n| n.id == to).unwrap();
                self.transmit(node, to, lane, Packet::Message { epoch, message });
            }
            Effect::Reply { ticket, outcome } => self.replied(node, ticket, outcome),
            Effect::ReadIndexReady { ticket, result } => {
                if let (Some(at_least), Ok((_, index))) = (self.reads.remove(&ticket), result) {
                    self.tally.reads += 1;
                    self.chronicle
                        .i13_a_read_sees_what_was_acknowledged(at_least, index);
                }
            }
            Effect::AdminDone { outcome, .. } => {
                if outcome == AdminOutcome::Done {
                    self.tally.handovers += 1;
                }
            }
            Effect::ReadLog {
                ticket,
                from,
                max_bytes,
            } => {
                let boot = self.nodes[node].boot;
                let delay = self.dice.below(10) * MS;
                self.at(
                    delay,
                    Event::Read {
                        node,
                        boot,
                        ticket,
                        from,
                        max_bytes,
                    },
                );
            }
            Effect::RoleChanged(change) => self.role_changed(node, &change),
            Effect::TransitionRejected(error) => panic!("I1: {error}"),
            Effect::Committed { commit } => {
                self.chronicle
                    .i11_commit_is_monotone(&self.nodes[node], commit);
                self.nodes[node].commit = commit;
                self.chronicle
                    .i10_committed_prefixes_are_equal(&self.nodes[node], commit);
            }
            Effect::Trim { upto } => {
                self.tally.trims += 1;
                if upto <= self.nodes[node].disk.tail().seq {
                    self.nodes[node].disk.trim(upto);
                    let log_start = self.nodes[node].disk.start;
                    self.step(node, Input::Trimmed { log_start });
                }
            }
            Effect::Deleted => panic!("nobody deletes"),
            Effect::BeatNow => self.send_beats(node),
            Effect::Halted(reason) => panic!("n{node} halted: {reason:?}"),
        }
    }

    fn role_changed(&mut self, node: usize, change: &RoleChange) {
        let t = change.transition;
        assert!(
            LEGAL_TRANSITIONS.contains(&(t.from(), t.to(), t.signal())),
            "I1: {t:?}"
        );
        assert_eq!(self.nodes[node].role, t.from(), "I1: roles do not connect");
        self.nodes[node].role = t.to();
        *self.tally.transitions.entry(format!("{t:?}")).or_default() += 1;
        if t.to() == ReplicaRole::Leader {
            self.tally.elections += 1;
            self.chronicle.i2_one_leader_per_epoch(node, change.epoch);
            self.chronicle.i7_leader_completeness(&self.nodes[node]);
        }
    }

    pub(crate) fn remember(&mut self, node: usize, effect: &Effect) {
        let code = match effect {
            Effect::Persist { token, .. } => token.get(),
            Effect::Reply { ticket, .. } => ticket.0 + 1_000_000,
            Effect::Committed { commit } => commit.get() + 2_000_000,
            _ => 3_000_000,
        };
        let mixed = self.tally.hash.rotate_left(7) ^ code ^ (node as u64) << 40 ^ self.now;
        self.tally.hash = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    pub(crate) fn persist(&mut self, node: usize, token: PersistToken, writes: Vec<LogWrite>) {
        for write in &writes {
            match write {
                LogWrite::Append(batches) => {
                    for batch in batches {
                        self.nodes[node].shadow_append(batch);
                    }
                }
                LogWrite::Truncate(point) => {
                    self.tally.truncations += 1;
                    self.chronicle
                        .i11_nothing_committed_is_cut(&self.nodes[node], *point);
                    self.nodes[node]
                        .shadow
                        .retain(|batch| batch.last_seq() <= point.seq);
                }
                LogWrite::HardState(_) | LogWrite::CommitHint(_) => {}
            }
        }
        self.nodes[node].disk.pending.push_back((token, writes));
        let slowness = self.nodes[node].slowness;
        let took = self.dice.below(slowness * MS) + 1;
        let done = (self.now + took).max(self.nodes[node].disk_free_at);
        self.nodes[node].disk_free_at = done;
        let boot = self.nodes[node].boot;
        self.at(done - self.now, Event::Written { node, boot, token });
    }

    pub(crate) fn transmit(&mut self, from: usize, to: usize, lane: Lane, packet: Packet) {
        let lost = self.plan.loses(&mut self.dice);
        if self.links.way(from, to).blocked || lost || !self.links.is_connected(from, to) {
            return;
        }
        let connection = self.links.connection(from, to);
        let copies = if self.plan.doubles(&mut self.dice) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let latency = self.plan.latency(&mut self.dice);
            let arrival = self.links.in_order(from, to, lane, self.now + latency);
            let packet = packet.clone();
            self.at(
                arrival - self.now,
                Event::Arrive {
                    from,
                    to,
                    connection,
                    packet,
                },
            );
        }
    }

    pub(crate) fn arrive(&mut self, from: usize, to: usize, packet: Packet) {
        let voter = self.nodes[from].id;
        match packet {
            Packet::Message { epoch, message } => {
                self.step(
                    to,
                    Input::Message {
                        from: voter,
                        epoch,
                        message,
                    },
                );
            }
            Packet::Withdrawn { epoch } => self.step(to, Input::LeaderWithdrew { epoch }),
            Packet::BeatAck { epoch, sent_at } => {
                let sent_at = Moment::from_nanos(sent_at);
                self.step(
                    to,
                    Input::BeatAcked {
                        voter,
                        epoch,
                        sent_at,
                    },
                );
            }
            Packet::Beat {
                epoch,
                commit,
                sent_at,
            } => {
                if self.nodes[to].paused_since.is_some() {
                    return;
                }
                let at = Moment::from_nanos(self.now);
                self.step(to, Input::LeaderHeard { epoch, commit, at });
                let Some(replica) = &self.nodes[to].replica else {
                    return;
                };
                let view = replica.view();
                if view.role == ReplicaRole::Replica
                    && view.epoch_seen == epoch
                    && view.leader == Some(epoch.leader)
                {
                    let ack = Packet::BeatAck { epoch, sent_at };
                    self.transmit(to, from, Lane::Control, ack);
                }
            }
        }
    }

    pub(crate) fn send_beats(&mut self, node: usize) {
        if self.nodes[node].paused_since.is_some() {
            return;
        }
        let Some(replica) = &self.nodes[node].replica else {
            return;
        };
        let packet = match replica.leader_row() {
            Some(row) => {
                self.nodes[node].beat_rows = true;
                Packet::Beat {
                    epoch: row.epoch,
                    commit: row.commit,
                    sent_at: self.now,
                }
            }
            None if std::mem::take(&mut self.nodes[node].beat_rows) && self.dice.permille(500) => {
                let epoch = self.chronicle.last_epoch_led_by(node);
                Packet::Withdrawn { epoch }
            }
            None => return,
        };
        for to in 0..self.nodes.len() {
            if to != node {
                self.transmit(node, to, Lane::Control, packet.clone());
            }
        }
    }
}
