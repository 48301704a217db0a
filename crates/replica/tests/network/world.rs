//! Time, events and effects: everything that happens to the nodes, in one order.

use std::collections::BTreeMap;

use tetrarch_fsm::LEGAL_TRANSITIONS;
use tetrarch_replica::{
    Context, Effect, Input, Lane, LogWrite, Moment, Now, PersistFailure, PersistToken, ReadTicket,
    Settings, Ticket,
};
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, LogPosition, NodeId, ReplicaRole, Seq, StoreId, Voter,
    frame::{ChannelMessage, ProduceOutcome},
};

use super::{
    chance::Dice,
    clients::{self, Asked, Client},
    disk::Disk,
    faults::{Fault, Plan},
    invariants::Chronicle,
    links::{Links, Packet},
    node::Node,
};

pub(crate) const MS: u64 = 1_000_000;
const HEARTBEAT: u64 = 150 * MS;
const ELECTION_TIMEOUT: u64 = 600 * MS;

/// Something that will happen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Arrive {
        from: usize,
        to: usize,
        connection: u64,
        packet: Packet,
    },
    Written {
        node: usize,
        boot: u64,
        token: PersistToken,
    },
    Read {
        node: usize,
        boot: u64,
        ticket: ReadTicket,
        from: Seq,
        max_bytes: u32,
    },
    Tick {
        node: usize,
        boot: u64,
    },
    Beats {
        node: usize,
        boot: u64,
    },
    Flush {
        node: usize,
        boot: u64,
    },
    Client {
        client: usize,
    },
    Forgotten {
        client: usize,
        ticket: Ticket,
    },
    Housekeeping,
    Fault,
    Resume {
        node: usize,
    },
    Start {
        node: usize,
    },
    Lost {
        node: usize,
        peer: usize,
    },
    Found {
        node: usize,
        peer: usize,
    },
}

/// What a run has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    pub(crate) acked: u64,
    pub(crate) elections: u64,
    pub(crate) truncations: u64,
    pub(crate) reads: u64,
    pub(crate) crashes: u64,
    pub(crate) pulls: u64,
    pub(crate) handovers: u64,
    pub(crate) indeterminate: u64,
    pub(crate) storage_full: u64,
    pub(crate) duplicates: u64,
    pub(crate) trims: u64,
    pub(crate) transitions: BTreeMap<String, u64>,
    pub(crate) hash: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.acked += other.acked;
        self.elections += other.elections;
        self.truncations += other.truncations;
        self.reads += other.reads;
        self.crashes += other.crashes;
        self.pulls += other.pulls;
        self.handovers += other.handovers;
        self.indeterminate += other.indeterminate;
        self.storage_full += other.storage_full;
        self.duplicates += other.duplicates;
        self.trims += other.trims;
        for (name, count) in &other.transitions {
            *self.transitions.entry(name.clone()).or_default() += count;
        }
        self.hash ^= other.hash;
    }

    /// A test that never met what it is about proves nothing.
    pub(crate) fn assert_everything_happened(&self) {
        let counts = [
            ("acked", self.acked),
            ("elections", self.elections),
            ("truncations", self.truncations),
            ("reads", self.reads),
            ("crashes", self.crashes),
            ("pulls", self.pulls),
            ("handovers", self.handovers),
            ("indeterminate", self.indeterminate),
            ("storage_full", self.storage_full),
            ("duplicates", self.duplicates),
            ("trims", self.trims),
        ];
        for (name, count) in counts {
            assert!(count > 0, "no seed met {name}");
        }
    }
}

/// The whole.
pub(crate) struct World {
    pub(crate) now: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), Event>,
    pub(crate) dice: Dice,
    jitter: Dice,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Links,
    pub(crate) plan: Plan,
    pub(crate) chronicle: Chronicle,
    clients: Vec<Client>,
    asked: BTreeMap<Ticket, Asked>,
    reads: BTreeMap<Ticket, Seq>,
    last_ticket: u64,
    config: ChannelConfig,
    channel: ChannelUid,
    settings: Settings,
    pub(crate) tally: Tally,
    tell: bool,
}

impl World {
    pub(crate) fn new(seed: u64, tell: bool) -> Self {
        let mut dice = Dice::new(seed);
        let count = [3, 3, 3, 5, 5, 1, 2][dice.index(7)];
        let voters: Vec<Voter> = (1..=count)
            .map(|byte| Voter {
                node: NodeId::from_bytes([byte; 16]),
                store: StoreId::from_bytes([byte; 16]),
            })
            .collect();
        let config = ChannelConfig::genesis(ChannelClass::Quorum, voters).unwrap();
        let origin = LogPosition::origin(config.genesis_link());
        let ids = config.voters().iter().map(Voter::id);
        let nodes: Vec<Node> = ids.map(|id| Node::new(id, Disk::new(origin))).collect();
        let plan = Plan::new(&mut dice);
        let clients = (0..dice.index(4) + 1)
            .map(|index| Client::new(index, nodes.len(), &mut dice))
            .collect();
        let settings = plan.settings(&mut dice);
        let mut world = Self {
            now: MS,
            order: 0,
            queue: BTreeMap::new(),
            jitter: Dice::new(seed ^ 0xABCD),
            chronicle: Chronicle::new(nodes.len()),
            links: Links::new(nodes.len()),
            nodes,
            plan,
            clients,
            asked: BTreeMap::new(),
            reads: BTreeMap::new(),
            last_ticket: 0,
            channel: ChannelUid::derive("test", &[0; 16]),
            config,
            settings,
            tally: Tally::default(),
            tell,
            dice,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            let delay = self.dice.below(50) * MS;
            self.at(delay, Event::Start { node });
        }
        for client in 0..self.clients.len() {
            self.at(MS, Event::Client { client });
        }
        self.at(300 * MS, Event::Fault);
        self.at(100 * MS, Event::Housekeeping);
    }

    pub(crate) fn at(&mut self, delay: u64, event: Event) {
        self.order += 1;
        self.queue.insert((self.now + delay, self.order), event);
    }

    pub(crate) fn tell(&self, text: impl FnOnce() -> String) {
        if self.tell {
            println!("{:>9.3} ms  {}", self.now as f64 / MS as f64, text());
        }
    }

    /// Runs with faults.
    pub(crate) fn chaos(&mut self) {
        let end = self.now + self.plan.duration;
        self.run_until(end);
    }

    /// Stops the faults, and demands progress and agreement (I27, I9).
    pub(crate) fn heal(&mut self) {
        self.plan.stop();
        self.links.heal();
        for a in 0..self.nodes.len() {
            self.nodes[a].disk.full = false;
            self.nodes[a].slowness = 2;
            if self.nodes[a].paused_since.is_some() {
                self.at(0, Event::Resume { node: a });
            }
            if !self.nodes[a].is_running() {
                self.at(0, Event::Start { node: a });
            }
            for b in 0..a {
                self.reconnect(a, b);
            }
        }
        let before = self.tally.acked;
        self.run_until(self.now + 10 * ELECTION_TIMEOUT);
        assert!(
            self.tally.acked > before,
            "I27: nothing was acknowledged within ten election timeouts after the heal"
        );
        self.clients.clear();
        let patience = self.now + 200 * ELECTION_TIMEOUT;
        while self.now < patience && !self.chronicle.all_caught_up(&self.nodes) {
            self.run_until(self.now + ELECTION_TIMEOUT);
        }
        self.chronicle
            .i9_everything_acknowledged_is_everywhere(&self.nodes);
    }

    pub(crate) fn tally(self) -> Tally {
        self.tally
    }

    fn run_until(&mut self, end: u64) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > end {
                break;
            }
            self.now = entry.key().0;
            let event = entry.remove();
            self.happen(event);
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
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

    fn start(&mut self, node: usize) {
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

    fn resume(&mut self, node: usize) {
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

    fn written(&mut self, node: usize, boot: u64, token: PersistToken) {
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

    fn carry_out(&mut self, node: usize, effect: Effect) {
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
                if outcome == tetrarch_replica::AdminOutcome::Done {
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
            Effect::RoleChanged(change) => {
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

    fn remember(&mut self, node: usize, effect: &Effect) {
        let code = match effect {
            Effect::Persist { token, .. } => token.get(),
            Effect::Reply { ticket, .. } => ticket.0 + 1_000_000,
            Effect::Committed { commit } => commit.get() + 2_000_000,
            _ => 3_000_000,
        };
        let mixed = self.tally.hash.rotate_left(7) ^ code ^ (node as u64) << 40 ^ self.now;
        self.tally.hash = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn persist(&mut self, node: usize, token: PersistToken, writes: Vec<LogWrite>) {
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

    fn transmit(&mut self, from: usize, to: usize, lane: Lane, packet: Packet) {
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

    fn arrive(&mut self, from: usize, to: usize, packet: Packet) {
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

    fn send_beats(&mut self, node: usize) {
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

    fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    fn client_acts(&mut self, client: usize) {
        if self
            .clients
            .get(client)
            .is_none_or(|c| c.waiting_for.is_some())
        {
            return;
        }
        let ticket = self.ticket();
        let (request, asked) = self.clients[client].request(client, ticket, &mut self.dice);
        self.asked.insert(ticket, asked);
        self.at(700 * MS, Event::Forgotten { client, ticket });
        let node = self.clients[client].node;
        if self.dice.permille(100) {
            self.look(node);
        }
        self.step(node, Input::Produce(request));
    }

    fn look(&mut self, node: usize) {
        let ticket = self.ticket();
        self.reads.insert(ticket, self.chronicle.highest_acked());
        self.step(node, Input::ReadIndex { ticket });
    }

    fn replied(&mut self, node: usize, ticket: Ticket, outcome: ProduceOutcome) {
        let Some(asked) = self.asked.remove(&ticket) else {
            panic!("{ticket:?} was answered twice or never asked");
        };
        let Some(client) = self.clients.get_mut(asked.client) else {
            return;
        };
        let wait = match &outcome {
            ProduceOutcome::Appended { runs, epoch, .. } => {
                self.tally.acked += 1;
                self.tally.duplicates += runs.iter().filter(|run| run.duplicate).count() as u64;
                let placed = client.answered(asked, runs);
                self.chronicle.acknowledged(asked.client, &placed);
                self.chronicle
                    .i8_durable_on_a_majority(&self.nodes, asked.client, &placed);
                self.chronicle
                    .i12_no_ack_under_a_known_higher_epoch(&self.nodes[node], *epoch);
                client.node = node;
                12
            }
            ProduceOutcome::OutOfOrder { expected } => {
                assert!(
                    expected.get() >= client.next,
                    "acknowledged events are unknown: {expected:?} < {}",
                    client.next
                );
                5
            }
            other => {
                if *other == ProduceOutcome::Indeterminate {
                    self.tally.indeterminate += 1;
                }
                client.node = self.dice.index(self.nodes.len());
                clients::wait_after(other)
            }
        };
        if client.waiting_for == Some(ticket) {
            client.waiting_for = None;
            let client = asked.client;
            let wait = self.dice.below(wait * MS) + 1;
            self.at(wait, Event::Client { client });
        }
    }

    fn housekeeping(&mut self) {
        self.at(100 * MS, Event::Housekeeping);
        let node = self.dice.index(self.nodes.len());
        if self.dice.permille(self.plan.transfers) {
            let ticket = self.ticket();
            let to = self.dice.index(self.nodes.len());
            let to = self.dice.permille(500).then(|| self.nodes[to].id);
            let forced = self.dice.permille(100);
            self.step(node, Input::Transfer { ticket, to, forced });
        }
        if self.dice.permille(self.plan.trims) {
            let upto = Seq::new(self.dice.below(self.nodes[node].commit.get() + 1));
            let proposal = tetrarch_replica::Proposal::Trim { upto };
            self.step(node, Input::Propose(proposal));
        }
        if self.dice.permille(100)
            && let Some(replica) = &self.nodes[node].replica
        {
            let snapshot = replica.producer_snapshot();
            if snapshot.0 <= self.nodes[node].disk.tail().seq
                && snapshot.0 >= self.nodes[node].disk.start.seq
            {
                self.nodes[node].disk.snapshot = Some(snapshot);
            }
        }
    }

    fn fault(&mut self) {
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
            Fault::Isolate(node) => {
                for other in (0..nodes).filter(|other| *other != node) {
                    self.disconnect(node, other);
                }
            }
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
