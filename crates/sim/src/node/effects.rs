//! Carrying out what a replica wants done, and checking it on the way.

use tetrarch_fsm::LEGAL_TRANSITIONS;
use tetrarch_replica::{AdminOutcome, Effect, LogWrite, PersistToken, RoleChange};
use tetrarch_wire::{
    ReplicaRole,
    frame::{ChannelMessage, NackCode, RepairAnswer, VoteKind},
};

use crate::{
    check::Expected,
    network::{Packet, Way},
    timeline::Mark,
    world::{ChannelIndex, Event, MS, World},
};

impl World {
    pub(crate) fn carry_out(&mut self, node: usize, channel: ChannelIndex, effect: Effect) {
        self.trace
            .say(self.now, node, || format!("c{channel} -> {effect:?}"));
        self.trace.mix(self.now, node, channel, &effect);
        match effect {
            Effect::Persist {
                token,
                failures,
                writes,
            } => self.issue(node, channel, (token, failures), writes),
            Effect::Send {
                to,
                epoch,
                message,
                lane,
            } => {
                self.check_message(node, channel, epoch, &message);
                let to = self.nodes.iter().position(|known| known.voter == to);
                let to = to.expect("I23: a message to somebody who does not exist");
                let packet = Packet::Channel {
                    channel,
                    epoch,
                    message,
                };
                self.transmit(node, to, Way::Lane(lane), packet);
            }
            Effect::Reply { ticket, outcome } => self.replied(node, ticket, &outcome),
            Effect::ReadIndexReady { ticket, result } => {
                if let (Some((_, at_least)), Ok((_, index))) =
                    (self.looking.remove(&ticket), result)
                {
                    self.tally.count("linearizable reads");
                    assert!(
                        index >= at_least,
                        "I13: read up to {index}, {at_least} was acknowledged before"
                    );
                }
            }
            Effect::AdminDone { outcome, .. } => match outcome {
                AdminOutcome::Done => self.tally.count("handovers"),
                AdminOutcome::NotLeader(_) => self.tally.count("orders to others than the leader"),
                AdminOutcome::Failed(_) => self.tally.count("failed handovers"),
            },
            Effect::ReadLog {
                ticket,
                from,
                max_bytes,
            } => self.read_later(node, channel, None, (ticket, from, max_bytes)),
            Effect::ReadFork {
                ticket,
                fork,
                from,
                max_bytes,
            } => self.read_later(node, channel, Some(fork), (ticket, from, max_bytes)),
            Effect::Seal { after } => self.seal_later(node, channel, after),
            Effect::DropFork { fork } => self.drop_fork(node, channel, fork),
            Effect::ForkCollected {
                republished, known, ..
            } => {
                self.tally.count("forks taken into the log");
                if republished > 0 {
                    self.tally.count("forks of which something was lacking");
                }
                if known > 0 {
                    self.tally.count("forks of which something was there");
                }
            }
            Effect::Diverged { .. } => self.tally.count("divergences told to readers"),
            Effect::SaveSnapshot { save, seq, bytes } => {
                self.keep_snapshot(node, channel, save, (seq, &bytes));
            }
            Effect::Mend { segment, batches } => self.mend_later(node, channel, (segment, batches)),
            Effect::RoleChanged(change) => self.role_changed(node, channel, &change),
            Effect::TransitionRejected(error) => panic!("I1: {error}"),
            Effect::Committed { commit } => {
                let Some(member) = self.member_mut(node, channel) else {
                    return;
                };
                assert!(
                    commit > member.commit,
                    "I11: {} then {commit}",
                    member.commit
                );
                member.commit = commit;
                if !self.channels[channel].is_available() {
                    self.chronicle_committed(node, channel);
                }
            }
            Effect::Placed { version } => {
                let delay = self.dice.between(5, 500) * MS;
                self.at(delay, Event::Placed { channel, version });
            }
            Effect::Trim { upto } => self.trim(node, channel, upto),
            Effect::Deleted => panic!("nobody deletes"),
            Effect::BeatNow => self.beat_now(node, channel),
            Effect::Halted(reason) => self.halted(node, channel, &reason),
        }
    }

    fn chronicle_committed(&mut self, node: usize, channel: ChannelIndex) {
        let Some(voters) = self.voters_by(node, channel) else {
            return;
        };
        let uid = self.channels[channel].uid;
        let process = self.nodes[node].process.as_ref();
        if let Some((_, member)) = process.and_then(|process| process.shard.get(uid)) {
            self.chronicle
                .i10_committed_prefixes_are_equal(channel, member, &voters);
        }
    }

    fn role_changed(&mut self, node: usize, channel: ChannelIndex, change: &RoleChange) {
        let t = change.transition;
        assert!(
            LEGAL_TRANSITIONS.contains(&(t.from(), t.to(), t.signal())),
            "I1: {t:?}"
        );
        self.tally.transition(&t);
        self.trace.mark(self.now, node, || Mark::Role {
            channel,
            role: t.to(),
            epoch: change.epoch.n,
        });
        let Some(member) = self.member_mut(node, channel) else {
            return;
        };
        assert_eq!(member.role, t.from(), "I1: roles do not connect");
        member.role = t.to();
        if t.to() == ReplicaRole::Leader {
            self.perhaps_hunt(node, channel);
        }
        if t.to() == ReplicaRole::Leader && !self.channels[channel].is_available() {
            self.chronicle
                .i2_one_leader_per_epoch(node, channel, change.epoch);
            if let Some(expected) = &self.nodes[node].expected[channel] {
                self.chronicle
                    .i7_leader_completeness(channel, expected, change.epoch);
            }
        }
        self.beat_now(node, channel);
    }

    fn issue(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        issue: (PersistToken, u64),
        writes: Vec<LogWrite>,
    ) {
        for write in &writes {
            match write {
                LogWrite::Append(batches) => {
                    if let Some(member) = self.member_mut(node, channel) {
                        for batch in batches {
                            member.shadow_append(batch);
                        }
                    }
                }
                LogWrite::Truncate(point) => {
                    self.tally.count("truncations");
                    if let Some(member) = self.member_mut(node, channel) {
                        member.shadow.retain(|batch| batch.last_seq() <= point.seq);
                        // Of class `quorum` nothing committed is cut (I11).
                        member.commit = member.commit.min(point.seq);
                    }
                }
                LogWrite::Begin(_) => self.tally.count("beginnings"),
                LogWrite::HardState(_) | LogWrite::CommitHint(_) => {}
            }
        }
        self.persist(node, channel, issue, writes);
    }

    fn check_message(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        epoch: tetrarch_wire::Epoch,
        message: &ChannelMessage,
    ) {
        let is_available = self.channels[channel].is_available();
        if let Some(expected) = &self.nodes[node].expected[channel] {
            let me = self.nodes[node].voter;
            self.chronicle.i5_persistence_before_promise(
                me,
                expected,
                epoch,
                message,
                is_available,
            );
            i21_who_may_have_forgotten_does_not_vote(node, expected, message);
        }
        match message {
            ChannelMessage::Append(append) => {
                self.chronicle.i6_log_matching(channel, &append.batches);
            }
            ChannelMessage::SnapshotChunk(_) => self.tally.count("parts of snapshots"),
            ChannelMessage::SyncChunk(_) => self.tally.count("pulled chunks"),
            ChannelMessage::AppendNack(nack) => self.tally.count(nack_name(nack.code)),
            ChannelMessage::VoteRequest(request) => self.tally.count(match request.kind {
                VoteKind::Pre => "pre-votes asked for",
                VoteKind::Vote => "votes asked for",
                VoteKind::Transfer => "votes asked for in a handover",
            }),
            ChannelMessage::VoteResponse(response) => {
                if let Some(refusal) = response.refusal {
                    self.tally.refusal(refusal);
                }
            }
            _ => {}
        }
    }

    /// Sends a packet. A datagram may be lost or come twice; what is in a lane is sent again until it
    /// arrives or the connection dies.
    pub(crate) fn transmit(&mut self, from: usize, to: usize, way: Way, packet: Packet) {
        if !self.network.is_connected(from, to) {
            self.tally.lost_packets += 1;
            return;
        }
        let is_lost = self.dice.permille(self.swarm.loss);
        let is_blocked = self.network.is_blocked(from, to);
        match way {
            Way::Datagram if is_lost || is_blocked => self.tally.lost_packets += 1,
            Way::Datagram => {
                let twice = self.dice.permille(self.swarm.duplication);
                for _ in 0..=u8::from(twice) {
                    self.deliver(from, to, way, 0, packet.clone());
                }
            }
            Way::Lane(_) if is_blocked => self.network.hold(from, to, way, packet),
            Way::Lane(_) => {
                let again = if is_lost {
                    self.dice.between(10, 300) * MS
                } else {
                    0
                };
                self.deliver(from, to, way, again, packet);
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize, way: Way, later: u64, packet: Packet) {
        let connection = self.network.connection(from, to);
        let latency = self.swarm.latency(&mut self.dice) + later;
        let arrival = self.network.arrival(from, to, way, self.now + latency);
        self.trace.mark(self.now, from, || Mark::Sent {
            to,
            arrives: arrival,
            what: packet.name(),
        });
        self.at(
            arrival - self.now,
            Event::Arrive {
                from,
                to,
                connection,
                packet: Box::new(packet),
            },
        );
    }

    /// Packets from one node to another get through again.
    pub(crate) fn unblock(&mut self, from: usize, to: usize) {
        for (way, packet) in self.network.unblock(from, to) {
            self.deliver(from, to, way, 0, packet);
        }
    }
}

const fn nack_name(code: NackCode) -> &'static str {
    match code {
        NackCode::Stale => "nack stale",
        NackCode::Gap => "nack gap",
        NackCode::Diverged => "nack diverged",
        NackCode::DiskPressure => "nack disk pressure",
        NackCode::Limbo => "nack limbo",
        NackCode::Busy => "nack busy",
    }
}

/// I21: a voter in limbo gives no vote, never stands, and does not say of a batch that it never had it.
fn i21_who_may_have_forgotten_does_not_vote(
    node: usize,
    disk: &Expected,
    message: &ChannelMessage,
) {
    if disk.hard_state.limbo.is_none() {
        return;
    }
    match message {
        ChannelMessage::VoteRequest(request) => {
            panic!("I21: n{node} stands in limbo: {request:?}");
        }
        ChannelMessage::VoteResponse(response) => {
            assert!(
                response.refusal.is_some(),
                "I21: n{node} votes in limbo: {response:?}"
            );
        }
        ChannelMessage::RepairResponse(response) => {
            assert!(
                !response.answers.contains(&RepairAnswer::Never),
                "I21: n{node} says in limbo what it never had"
            );
        }
        _ => {}
    }
}
