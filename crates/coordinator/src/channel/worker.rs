//! The task that owns a share of the channels.
//!
//! One turn: wait for anything, take what else is there (bounded), step the channels, then settle
//! each that was touched: form its batches, write down what it knows, serve its readers, arm its
//! timer. Batches therefore grow with what arrived together, and nothing waits when little does.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use tetrarch_replica::{
    Context, Effect, Input, Moment, ProduceRequest, Proposal, Replica, Settings,
    beat::{ChannelFact, Keeper, Repeat, Repeats},
};
use tetrarch_wire::{
    ChannelUid, ProducerEpoch, ProducerId, ProducerSeq, VoterId,
    frame::{ProduceOutcome, RetryReason},
};
use tokio::sync::{broadcast, mpsc, watch};

use super::{
    ChannelOpening, ClientInput, Command, Inbox, LogReadDone, PeerInput, ReadReply,
    actor::Actor,
    inbox::ProduceInput,
    tickets::{Tickets, Waiting},
};
use crate::{
    beats::BeatHandle,
    clock::{self, Jitter},
    node::{NodeFacts, TransitionEvent},
    registry::Registry,
    store::{FlushHandle, ReadHandle, StoreEvent, WriteHandle},
    telemetry::Telemetry,
    transport::Mesh,
};

/// How many inputs of one queue are taken in one turn.
const TURN: usize = 256;
/// How many frames of pushed batches are taken in one turn.
const DATA_TURN: usize = 16;
/// Timers that go off within this part of a heartbeat are looked at together.
const LOOK_AHEAD: u32 = 4;
/// How long a client waits before it asks again for a channel that is not known here.
const UNKNOWN_CHANNEL_RETRY_MS: u32 = 50;

/// What a worker needs of the node.
#[derive(Clone)]
pub(crate) struct WorkerContext {
    pub(crate) me: VoterId,
    pub(crate) settings: Settings,
    pub(crate) heartbeat: Duration,
    /// Bytes of recent batches that one worker's channels may keep in memory together.
    pub(crate) recent_bytes: usize,
    pub(crate) mesh: Mesh,
    pub(crate) beats: BeatHandle,
    pub(crate) writes: WriteHandle,
    pub(crate) reads: ReadHandle,
    pub(crate) flush: FlushHandle,
    pub(crate) registry: Arc<Registry>,
    pub(crate) facts: Arc<NodeFacts>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) transitions: broadcast::Sender<TransitionEvent>,
    pub(crate) store_failed: Arc<watch::Sender<bool>>,
}

/// A share of the node's channels.
pub(crate) struct Worker {
    pub(super) index: usize,
    /// Who it is in the beats.
    pub(super) keeper: Keeper,
    pub(super) context: WorkerContext,
    inbox: Inbox,
    openings: Vec<ChannelOpening>,
    pub(super) actors: HashMap<ChannelUid, Actor>,
    pub(super) tickets: Tickets,
    timers: BinaryHeap<Reverse<(Moment, ChannelUid)>>,
    touched: Vec<ChannelUid>,
    /// Channels to stamp at the next heartbeat.
    pub(super) restless: Vec<ChannelUid>,
    /// What peers have repeated of many channels.
    repeats: Repeats,
    /// Channels with a read that waits until a majority has confirmed their leader.
    pub(super) awaiting_acks: BTreeSet<ChannelUid>,
    jitter: Jitter,
    pub(super) reads: mpsc::UnboundedSender<LogReadDone>,
}

impl Worker {
    /// `reads` is the sending end of the inbox's own reads, handed out with each read; `openings`
    /// are the channels that the node had when it stopped, of this worker.
    pub(crate) fn new(
        index: usize,
        context: WorkerContext,
        inbox: Inbox,
        reads: mpsc::UnboundedSender<LogReadDone>,
        openings: Vec<ChannelOpening>,
    ) -> Self {
        Self {
            reads,
            index,
            keeper: Keeper::new(index),
            context,
            inbox,
            openings,
            actors: HashMap::new(),
            tickets: Tickets::default(),
            timers: BinaryHeap::new(),
            touched: Vec::new(),
            restless: Vec::new(),
            repeats: Repeats::default(),
            awaiting_acks: BTreeSet::new(),
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
                Some(done) = self.inbox.reads.recv() => self.on_log_read(done),
                Some(input) = self.inbox.control.recv() => self.on_peer(input),
                Some(command) = self.inbox.commands.recv() => self.on_command(command),
                _ = heartbeat.tick() => self.stamp_all(),
                () = tokio::time::sleep(wake) => self.tick(),
                Some(input) = self.inbox.data.recv() => self.on_peer(input),
                Some(input) = self.inbox.clients.recv() => self.on_client(input),
                Some(input) = self.inbox.bulk.recv() => self.on_peer(input),
            }
            self.drain();
            self.settle();
        }
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
        if let Some((effects, _)) = self.advance(channel, Some(input)) {
            self.touch(channel);
            self.carry_out(channel, effects);
        }
    }

    /// Gives a channel what a beat says, or only what beats have repeated since it was looked at.
    /// Most of it is nothing new; then there is nothing to carry out and to settle, and the channel's
    /// timer is for the caller to set.
    fn hear(&mut self, channel: ChannelUid, fact: Option<ChannelFact>) {
        if let (Some(actor), Some(fact)) = (self.actors.get_mut(&channel), &fact) {
            actor.told.note(fact);
        }
        let input = fact.map(|fact| fact.into_input().1);
        let Some((effects, has_news)) = self.advance(channel, input) else {
            return;
        };
        if has_news || !effects.is_empty() {
            self.touch(channel);
            self.carry_out(channel, effects);
        }
    }

    /// Steps a channel that is here with what beats have repeated and then with `input`, and tells
    /// the beats what is new; gives the effects, and whether there was news.
    fn advance(
        &mut self,
        channel: ChannelUid,
        input: Option<Input>,
    ) -> Option<(Vec<Effect>, bool)> {
        let actor = self.actors.get_mut(&channel)?;
        let mut effects: Vec<Effect> = Vec::new();
        let mut context = Context {
            now: clock::now(),
            chance: &mut self.jitter,
            effects: &mut effects,
        };
        let (_, epoch_seen, _) = actor.replica.standing();
        let repeated = actor.told.due(&self.repeats, epoch_seen);
        actor.replica.step_repeated(repeated, &mut context);
        if let Some(input) = input {
            actor.replica.step(input, &mut context);
        }
        // Before anything leaves: see `BeatHub::stamp`.
        let news = actor.news_for_beats();
        if let Some(news) = &news {
            self.context.beats.stamp(news, context.now.mono);
        }
        Some((effects, news.is_some()))
    }

    /// Notes that the channel is to be settled.
    fn touch(&mut self, channel: ChannelUid) {
        if let Some(actor) = self.actors.get_mut(&channel)
            && !actor.touched
        {
            actor.touched = true;
            self.touched.push(channel);
            if !actor.restless {
                actor.restless = true;
                self.restless.push(channel);
            }
        }
    }

    fn settle(&mut self) {
        for channel in std::mem::take(&mut self.touched) {
            if self
                .actors
                .get(&channel)
                .is_some_and(|actor| actor.replica.wants_flush())
            {
                self.step(channel, Input::Flush);
            }
            let Some(actor) = self.actors.get_mut(&channel) else {
                continue;
            };
            actor.touched = false;
            actor.publish();
            actor.serve_readers(&self.context.reads);
            self.arm(channel);
        }
        // Settling touches nothing but what it settles.
        self.touched.clear();
    }

    /// Sets the channel's timer, unless one that is set goes off in time. Deadlines move on with each
    /// beat; a timer that goes off too early only looks and is set again. Gives the deadline.
    fn arm(&mut self, channel: ChannelUid) -> Option<Moment> {
        let actor = self.actors.get_mut(&channel)?;
        let deadline = actor.replica.next_deadline()?;
        if actor.armed.is_none_or(|armed| deadline < armed) {
            actor.armed = Some(deadline);
            self.timers.push(Reverse((deadline, channel)));
        }
        Some(deadline)
    }

    fn next_wake(&mut self) -> Duration {
        const IDLE: Duration = Duration::from_secs(1);
        while let Some(Reverse((deadline, channel))) = self.timers.peek().copied() {
            let armed = self.actors.get(&channel).and_then(|actor| actor.armed);
            if armed == Some(deadline) {
                return deadline.since(clock::moment()).min(IDLE);
            }
            self.timers.pop();
        }
        IDLE
    }

    fn tick(&mut self) {
        let now = clock::moment();
        // A timer that goes off soon is looked at now: if beats have been heard since it was set, as
        // in most cases, it need not wake anybody again.
        let soon = now.plus(self.context.heartbeat / LOOK_AHEAD);
        for channel in self.take_due(soon) {
            self.hear(channel, None);
            if self.arm(channel).is_some_and(|deadline| deadline <= now) {
                self.step(channel, Input::Tick);
            }
        }
    }

    /// The channels whose timers go off until then.
    fn take_due(&mut self, until: Moment) -> Vec<ChannelUid> {
        let mut due = Vec::new();
        while let Some(Reverse((deadline, channel))) = self.timers.peek().copied() {
            if deadline > until {
                break;
            }
            self.timers.pop();
            if let Some(actor) = self.actors.get_mut(&channel)
                && actor.armed == Some(deadline)
            {
                actor.armed = None;
                due.push(channel);
            }
        }
        due
    }

    fn on_store(&mut self, events: Vec<StoreEvent>) {
        for StoreEvent {
            channel,
            token,
            failure,
        } in events
        {
            let input = match failure {
                None => Input::Persisted { token },
                Some(failure) => Input::PersistFailed { token, failure },
            };
            self.step(channel, input);
        }
    }

    fn on_log_read(&mut self, done: LogReadDone) {
        self.step(
            done.channel,
            Input::LogRead {
                ticket: done.ticket,
                result: done.result,
            },
        );
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
            Command::Close(channel) => self.close(channel),
            Command::PeerFound(peer) => {
                self.step_each(|actor| actor.is_held_by(peer), || Input::PeerFound { peer });
            }
            Command::PeerLost(peer) => {
                self.step_each(|actor| actor.is_held_by(peer), || Input::PeerLost { peer });
            }
            Command::Beat { facts, repeats } => self.on_beat(facts, &repeats),
            Command::Transfer {
                channel,
                to,
                forced,
                reply,
            } => {
                // Dropping the reply says that the channel is not here.
                if !self.actors.contains_key(&channel) {
                    return;
                }
                let to = to.and_then(|node| self.actors.get(&channel)?.voter_on(node));
                let ticket = self.tickets.keep(Waiting::Admin(reply));
                self.step(channel, Input::Transfer { ticket, to, forced });
            }
            Command::HandOverAll => self.hand_over_all(),
            Command::Trim { channel, upto } => {
                self.step(channel, Input::Propose(Proposal::Trim { upto }));
            }
            Command::Trimmed { channel, log_start } => {
                self.step(channel, Input::Trimmed { log_start });
            }
            Command::SaveProducers => self.save_producers(),
        }
    }

    fn on_beat(&mut self, facts: Vec<ChannelFact>, repeats: &[Repeat]) {
        for fact in facts {
            let channel = fact.channel();
            self.hear(channel, Some(fact));
            // A leader that withdrew is waited for no longer.
            self.arm(channel);
        }
        for repeat in repeats {
            self.repeats.note(*repeat);
        }
        // Readers wait for an acknowledgement, and not for when the channel is looked at next.
        for channel in std::mem::take(&mut self.awaiting_acks) {
            self.hear(channel, None);
            let actor = self.actors.get(&channel);
            if actor.is_some_and(|actor| actor.replica.awaits_acknowledgement()) {
                self.awaiting_acks.insert(channel);
            }
        }
    }

    fn on_client(&mut self, input: ClientInput) {
        match input {
            ClientInput::Produce(produce) => self.produce(produce),
            // Dropping the reply says that the channel is not here.
            ClientInput::Propose { channel, .. } | ClientInput::ReadIndex { channel, .. }
                if !self.actors.contains_key(&channel) => {}
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
            ClientInput::Read(request) => match self.actors.get_mut(&request.channel) {
                Some(actor) => actor.read(request, &self.context.reads),
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
        if !self.actors.contains_key(&channel) {
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

    fn open(&mut self, opening: ChannelOpening) {
        let ChannelOpening {
            handle,
            recovered,
            replay,
            stand_first,
        } = opening;
        let channel = handle.uid;
        if self.actors.contains_key(&channel) {
            return;
        }
        let settings = Settings {
            stand_first,
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
        let facts = &self.context.facts;
        let owner = (self.context.me, self.keeper);
        let actor = Actor::new(replica, handle, owner, |node| facts.name_of(node));
        self.actors.insert(channel, actor);
        self.step(channel, Input::Select);
        for peer in self.context.mesh.peers() {
            if self
                .actors
                .get(&channel)
                .is_some_and(|actor| actor.is_held_by(peer.voter))
            {
                self.step(channel, Input::PeerFound { peer: peer.voter });
            }
        }
    }

    pub(super) fn close(&mut self, channel: ChannelUid) {
        self.step(channel, Input::Close);
        if let Some(mut actor) = self.actors.remove(&channel) {
            actor.dismiss_readers();
            self.context.beats.forget(channel);
            self.context.registry.remove(channel);
        }
    }

    fn step_each(&mut self, chosen: impl Fn(&Actor) -> bool, input: impl Fn() -> Input) {
        let channels: Vec<ChannelUid> = self
            .actors
            .iter()
            .filter(|(_, actor)| chosen(actor))
            .map(|(uid, _)| *uid)
            .collect();
        for channel in channels {
            self.step(channel, input());
        }
    }
}
