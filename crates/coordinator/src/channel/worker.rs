//! The task that owns a share of the channels.
//!
//! One turn: wait for anything, take what else is there (bounded), step the channels, then settle
//! each that was touched: form its batches, write down what it knows, serve its readers, arm its
//! timer. Batches therefore grow with what arrived together, and nothing waits when little does.

use std::{sync::Arc, time::Duration};

use tetrarch_log::WriteOp;
use tetrarch_replica::{
    Input, ProduceRequest, Proposal, Replica, Settings,
    beat::Keeper,
    shard::{Shard, ShardEffect, Turn},
};
use tetrarch_wire::{
    ChannelUid, ProducerEpoch, ProducerId, ProducerSeq, Voter, VoterId,
    frame::{ProduceOutcome, RetryReason},
};
use tokio::sync::{broadcast, mpsc, watch};

use super::{
    ChannelOpening, ClientInput, Command, Inbox, PeerInput, ReadReply, StoreAnswer,
    actor::Actor,
    inbox::ProduceInput,
    tickets::{Tickets, Waiting},
};
use crate::{
    beats::BeatHandle,
    catalog::ReportHandle,
    clock::{self, Jitter},
    node::{NodeFacts, TransitionEvent},
    registry::Registry,
    store::{FlushHandle, Opening, ReadHandle, StoreEvent, WriteHandle},
    telemetry::Telemetry,
    transport::Mesh,
};

/// How many inputs of one queue are taken in one turn.
const TURN: usize = 256;
/// How many frames of pushed batches are taken in one turn.
const DATA_TURN: usize = 16;
/// How long a client waits before it asks again for a channel that is not known here.
const UNKNOWN_CHANNEL_RETRY_MS: u32 = 50;

/// What a worker needs of the node.
#[derive(Clone)]
pub(crate) struct WorkerContext {
    pub(crate) me: VoterId,
    /// The catalog's channel.
    pub(crate) meta: ChannelUid,
    pub(crate) settings: Settings,
    pub(crate) heartbeat: Duration,
    /// Bytes of recent batches that one worker's channels may keep in memory together.
    pub(crate) recent_bytes: usize,
    /// How many channels that have withdrawn from a full disk one worker takes up again each second.
    pub(crate) come_back_at_once: usize,
    pub(crate) mesh: Mesh,
    pub(crate) beats: BeatHandle,
    pub(crate) writes: WriteHandle,
    pub(crate) reads: ReadHandle,
    pub(crate) flush: FlushHandle,
    pub(crate) registry: Arc<Registry>,
    pub(crate) facts: Arc<NodeFacts>,
    pub(crate) reports: ReportHandle,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) transitions: broadcast::Sender<TransitionEvent>,
}

/// A share of the node's channels.
pub(crate) struct Worker {
    pub(super) index: usize,
    /// Who it is in the beats.
    pub(super) keeper: Keeper,
    pub(super) context: WorkerContext,
    inbox: Inbox,
    openings: Vec<ChannelOpening>,
    /// The replica that was opened last.
    last_opening: Opening,
    pub(super) shard: Shard<Actor>,
    pub(super) tickets: Tickets,
    /// Empty but while something happens to the channels.
    effects: Vec<ShardEffect>,
    jitter: Jitter,
    pub(super) answers: mpsc::UnboundedSender<StoreAnswer>,
}

impl Worker {
    /// `answers` is the sending end of the inbox's own answers, handed out with each order to the store; `openings`
    /// are the channels that the node had when it stopped, of this worker.
    pub(crate) fn new(
        index: usize,
        context: WorkerContext,
        inbox: Inbox,
        answers: mpsc::UnboundedSender<StoreAnswer>,
        openings: Vec<ChannelOpening>,
    ) -> Self {
        let keeper = Keeper::new(index);
        Self {
            answers,
            index,
            keeper,
            shard: Shard::new(keeper, context.heartbeat),
            context,
            inbox,
            openings,
            last_opening: Opening::default(),
            tickets: Tickets::default(),
            effects: Vec::new(),
            jitter: Jitter::new(),
        }
    }

    /// Runs until `stop` turns true.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut heartbeat = tokio::time::interval(self.context.heartbeat);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        // Before anything is taken from a queue: nobody finds a channel of this node missing.
        for opening in std::mem::take(&mut self.openings) {
            self.open(opening);
        }
        self.settle();
        loop {
            let wake = self.next_wake();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(events) = self.inbox.store.recv() => self.on_store(events),
                Some(answer) = self.inbox.answers.recv() => self.on_answer(answer),
                Some(input) = self.inbox.control.recv() => self.on_peer(input),
                Some(command) = self.inbox.commands.recv() => self.on_command(command),
                _ = heartbeat.tick() => self.beat(),
                () = tokio::time::sleep(wake) => self.turn(Shard::tick),
                Some(input) = self.inbox.data.recv() => self.on_peer(input),
                Some(input) = self.inbox.clients.recv() => self.on_client(input),
                Some(input) = self.inbox.bulk.recv() => self.on_peer(input),
            }
            self.drain();
            self.settle();
        }
    }

    /// What is due with each heartbeat.
    fn beat(&mut self) {
        self.stamp_all();
        self.mend_what_is_damaged();
    }

    /// Takes what else is waiting, a bounded number of each queue.
    fn drain(&mut self) {
        for _ in 0..TURN {
            match self.inbox.store.try_recv() {
                Ok(events) => self.on_store(events),
                Err(_) => break,
            }
        }
        for _ in 0..TURN {
            match self.inbox.control.try_recv() {
                Ok(input) => self.on_peer(input),
                Err(_) => break,
            }
        }
        for _ in 0..TURN {
            match self.inbox.commands.try_recv() {
                Ok(command) => self.on_command(command),
                Err(_) => break,
            }
        }
        for _ in 0..DATA_TURN {
            match self.inbox.data.try_recv() {
                Ok(input) => self.on_peer(input),
                Err(_) => break,
            }
        }
        for _ in 0..TURN {
            match self.inbox.clients.try_recv() {
                Ok(input) => self.on_client(input),
                Err(_) => break,
            }
        }
    }

    /// Gives one input to a channel and carries out what comes of it.
    pub(super) fn step(&mut self, channel: ChannelUid, input: Input) {
        self.turn(|shard, turn| shard.step(channel, input, turn));
    }

    /// Lets something happen to the channels and carries out what comes of it.
    pub(super) fn turn<T>(&mut self, act: impl FnOnce(&mut Shard<Actor>, &mut Turn<'_>) -> T) -> T {
        let mut effects = std::mem::take(&mut self.effects);
        let mut turn = Turn {
            now: clock::now(),
            chance: &mut self.jitter,
            effects: &mut effects,
        };
        let result = act(&mut self.shard, &mut turn);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.effects = effects;
        result
    }

    fn settle(&mut self) {
        for channel in self.turn(Shard::settle) {
            if let Some((replica, actor)) = self.shard.get_mut(channel) {
                actor.publish(replica);
                actor.serve_readers(replica, &self.context.reads);
            }
        }
    }

    fn next_wake(&mut self) -> Duration {
        const IDLE: Duration = Duration::from_secs(1);
        let deadline = self.shard.next_deadline();
        deadline.map_or(IDLE, |deadline| deadline.since(clock::moment()).min(IDLE))
    }

    fn on_store(&mut self, events: Vec<StoreEvent>) {
        for StoreEvent {
            channel,
            opening,
            token,
            failure,
        } in events
        {
            if !self.is_open(channel, opening) {
                continue;
            }
            let input = match failure {
                None => Input::Persisted { token },
                Some(failure) => Input::PersistFailed { token, failure },
            };
            self.step(channel, input);
        }
    }

    fn on_answer(&mut self, answer: StoreAnswer) {
        match answer {
            StoreAnswer::Read {
                channel,
                opening,
                ticket,
                result,
            } => {
                if self.is_open(channel, opening) {
                    self.step(channel, Input::LogRead { ticket, result });
                }
            }
            StoreAnswer::Mended {
                channel,
                segment,
                result,
            } => self.on_mended(channel, segment, result),
            StoreAnswer::Sealed {
                channel,
                opening,
                after,
                result,
            } => self.on_sealed(channel, opening, (after, result)),
            StoreAnswer::SnapshotSaved {
                channel,
                save,
                worked,
            } => self.step(channel, Input::SnapshotSaved { save, worked }),
            StoreAnswer::Opened(opening) => self.reopen(*opening),
        }
    }

    /// Whether this replica is the one that the channel has here now. The store may answer after it is gone.
    pub(super) fn is_open(&self, channel: ChannelUid, opening: Opening) -> bool {
        let found = self.shard.get(channel);
        found.is_some_and(|(_, actor)| actor.opening == opening)
    }

    fn on_peer(&mut self, input: PeerInput) {
        let PeerInput { from, frame } = input;
        let message = Input::Message {
            from,
            epoch: frame.epoch,
            message: frame.message,
        };
        self.step(frame.channel, message);
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Open(opening) => self.open(*opening),
            Command::Close(channel) => self.close(channel, Input::Close),
            Command::Release { channel, done } => {
                self.close(channel, Input::Deselect);
                self.context.registry.remove(channel);
                // After everything that its replica wrote.
                self.context.writes.order(channel, WriteOp::Release);
                if done.send(()).is_err() {
                    tracing::debug!(%channel, "nobody waits for its release: the node is stopping");
                }
            }
            Command::Placed { channel, set } => {
                let peers = self.context.mesh.peers();
                let is_connected = |voter| peers.iter().any(|peer| peer.voter == voter);
                self.turn(|shard, turn| shard.placed(channel, set, is_connected, turn));
            }
            Command::PeerFound(peer) => {
                self.turn(|shard, turn| shard.peer_found(peer, turn));
            }
            Command::PeerLost(peer) => {
                self.turn(|shard, turn| shard.peer_lost(peer, turn));
            }
            Command::Beat { facts, repeats } => {
                self.turn(|shard, turn| shard.on_beat(facts, &repeats, turn));
            }
            Command::Transfer {
                channel,
                to,
                forced,
                reply,
            } => {
                // Dropping the reply says that the channel is not here.
                let Some((replica, _)) = self.shard.get(channel) else {
                    return;
                };
                let mut voters = replica.config().voters().iter();
                let to = to.and_then(|node| voters.find(|voter| voter.node == node));
                let to = to.map(Voter::id);
                let ticket = self.tickets.keep(Waiting::Admin(reply));
                self.step(channel, Input::Transfer { ticket, to, forced });
            }
            Command::DiskLevel(level) => {
                let at_once = self.context.come_back_at_once;
                self.turn(|shard, turn| shard.disk_level(level, at_once, turn));
            }
            Command::HandOverAll => self.hand_over_all(),
            Command::LeaveAll => {
                let channels: Vec<ChannelUid> = self.shard.iter().map(|(uid, ..)| uid).collect();
                for channel in channels {
                    self.step(channel, Input::Close);
                }
            }
            Command::Trim { channel, upto } => {
                self.step(channel, Input::Propose(Proposal::Trim { upto }));
            }
            Command::Trimmed { channel, log_start } => {
                self.step(channel, Input::Trimmed { log_start });
            }
            Command::SaveSnapshots => self.save_snapshots(),
        }
    }

    fn on_client(&mut self, input: ClientInput) {
        match input {
            ClientInput::Produce(produce) => self.produce(produce),
            // Dropping the reply says that the channel is not here.
            ClientInput::Propose { channel, .. } | ClientInput::ReadIndex { channel, .. }
                if !self.shard.contains(channel) => {}
            ClientInput::Propose {
                channel,
                events,
                reply,
            } => {
                let ticket = self.tickets.keep(Waiting::Propose(reply));
                let request = ProduceRequest {
                    ticket,
                    producer: ProducerId::ANONYMOUS,
                    producer_epoch: ProducerEpoch::default(),
                    base_producer_seq: ProducerSeq::ZERO,
                    events,
                };
                self.step(channel, Input::Produce(request));
            }
            ClientInput::Read(request) => match self.shard.get_mut(request.channel) {
                Some((replica, actor)) => actor.read(replica, request, &self.context.reads),
                None => {
                    if request.reply.send(ReadReply::Gone).is_err() {
                        tracing::trace!("a reader left before its answer");
                    }
                }
            },
            ClientInput::ReadIndex { channel, reply } => {
                let ticket = self.tickets.keep(Waiting::ReadIndex(reply));
                self.step(channel, Input::ReadIndex { ticket });
            }
        }
    }

    fn produce(&mut self, produce: ProduceInput) {
        let channel = produce.channel;
        if !self.shard.contains(channel) {
            produce.route.answer(ProduceOutcome::Retry {
                reason: RetryReason::UnknownChannel,
                after_ms: UNKNOWN_CHANNEL_RETRY_MS,
                leader: None,
            });
            return;
        }
        let request = ProduceRequest {
            ticket: self.tickets.keep(Waiting::Produce(produce.route)),
            producer: produce.producer,
            producer_epoch: produce.producer_epoch,
            base_producer_seq: produce.base_producer_seq,
            events: produce.events,
        };
        self.step(channel, Input::Produce(request));
    }

    pub(super) fn open(&mut self, opening: ChannelOpening) {
        let ChannelOpening {
            handle,
            recovered,
            replay,
            stand_first,
        } = opening;
        let channel = handle.uid;
        if self.shard.contains(channel) {
            return;
        }
        let settings = Settings {
            stand_first,
            withdraws: channel != self.context.meta,
            ..self.context.settings.clone()
        };
        let created = Replica::new(
            self.context.me,
            channel,
            handle.genesis.clone(),
            settings,
            recovered,
            clock::now(),
        );
        let mut replica = match created {
            Ok(replica) => replica,
            Err(error) => {
                tracing::error!(channel = %handle.name, %error, "the channel cannot be opened");
                return;
            }
        };
        for (header, control) in &replay {
            replica.replay(header, control.as_ref());
        }
        if let Some(reason) = &replica.view().halted {
            handle.telemetry.halted(reason);
        }
        self.context.registry.insert(&handle);
        self.context.writes.forget_failures(channel);
        let facts = &self.context.facts;
        self.last_opening = self.last_opening.next();
        let actor = Actor::new(handle, self.last_opening, Arc::clone(facts));
        self.shard.add(channel, replica, actor);
        self.step(channel, Input::Select);
        for peer in self.context.mesh.peers() {
            if self.shard.held_with(peer.voter).any(|held| held == channel) {
                self.step(channel, Input::PeerFound { peer: peer.voter });
            }
        }
    }

    /// The channel leaves this node, and `last` is the last that it hears.
    pub(super) fn close(&mut self, channel: ChannelUid, last: Input) {
        self.step(channel, last);
        if let Some(mut actor) = self.shard.remove(channel) {
            actor.dismiss_readers();
            self.context.beats.forget(channel);
            self.context.registry.remove(channel);
        }
    }
}
