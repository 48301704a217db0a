//! One replica on a bench: a test gives it an input and looks at the effects.

use bytes::Bytes;
use tetrarch_wire::{
    Batch, ChannelClass, ChannelConfig, ChannelUid, Epoch, Event, LogPosition, NodeId,
    ProducerEpoch, ProducerId, ProducerSeq, Seq, StoreId, Voter, VoterId,
    batch::{BatchDraft, Control, EventBlock},
    frame::{
        Append, AppendAck, ChannelMessage, DiskLevel, ProduceOutcome, VoteKind, VoteRequest,
        VoteResponse,
    },
};

use crate::{
    Chance, Context, Effect, Input, LogWrite, Moment, Now, PersistToken, ProduceRequest, Recovered,
    Replica, Settings, Ticket,
};

struct NoChance;

impl Chance for NoChance {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// A replica and what surrounds it.
pub(crate) struct Bench {
    pub(crate) replica: Replica,
    pub(crate) ids: Vec<VoterId>,
    pub(crate) genesis: ChannelConfig,
    pub(crate) now_ms: u64,
}

impl Bench {
    /// The first of `voters` voters, selected, in an empty channel.
    pub(crate) fn new(voters: u8) -> Self {
        Self::with(voters, Settings::default(), |_| {})
    }

    pub(crate) fn with(
        voters: u8,
        settings: Settings,
        change: impl FnOnce(&mut Recovered),
    ) -> Self {
        Self::of_class(ChannelClass::Quorum, voters, settings, change)
    }

    pub(crate) fn of_class(
        class: ChannelClass,
        voters: u8,
        settings: Settings,
        change: impl FnOnce(&mut Recovered),
    ) -> Self {
        let voters = (1..=voters).map(|byte| Voter {
            node: NodeId::from_bytes([byte; 16]),
            store: StoreId::from_bytes([byte; 16]),
        });
        let voters: Vec<Voter> = voters.collect();
        let ids: Vec<VoterId> = voters.iter().map(Voter::id).collect();
        let genesis = ChannelConfig::genesis(class, voters).unwrap();
        let mut recovered = Recovered::empty(&genesis);
        change(&mut recovered);
        let uid = ChannelUid::derive("bench", &[0; 16]);
        let replica = Replica::new(
            ids[0],
            uid,
            genesis.clone(),
            settings,
            recovered,
            now(1_000),
        )
        .unwrap();
        let mut bench = Self {
            replica,
            ids,
            genesis,
            now_ms: 1_000,
        };
        bench.step(Input::Select);
        bench
    }

    /// One that leads epoch 1, whose first batch is durable here and committed.
    pub(crate) fn leader(voters: u8, settings: Settings) -> Self {
        let stand_first = Settings {
            stand_first: true,
            ..settings
        };
        let mut bench = Self::with(voters, stand_first, |_| {});
        for kind in [VoteKind::Pre, VoteKind::Vote] {
            for voter in 1..usize::from(voters) {
                let response = bench.vote(kind, voter, 1);
                bench.step(response);
            }
            bench.persist_all();
        }
        // A vote that came before the own one was durable counts when it is.
        bench.persist_all();
        assert!(bench.replica.leader_row().is_some(), "it leads");
        for voter in 1..usize::from(voters) {
            let tail = bench.replica.view().tail;
            bench.ack(voter, tail);
        }
        bench
    }

    /// One that follows the second voter in epoch 1, and holds its first batch durably.
    pub(crate) fn follower(voters: u8) -> Self {
        let mut bench = Self::new(voters);
        let first = bench.epoch_start(1, &bench.origin());
        let origin = bench.origin();
        bench.append(1, origin, 0, vec![first]);
        bench.persist_all();
        bench
    }

    pub(crate) fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.replica.step(
            input,
            &mut Context {
                now: now(self.now_ms),
                chance: &mut NoChance,
                effects: &mut effects,
            },
        );
        effects
    }

    /// Gives the replica what beats have said again.
    pub(crate) fn step_repeated(&mut self, inputs: Vec<Input>) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.replica.step_repeated(
            inputs,
            &mut Context {
                now: now(self.now_ms),
                chance: &mut NoChance,
                effects: &mut effects,
            },
        );
        effects
    }

    /// Lets time pass, and the replica notice it.
    pub(crate) fn wait(&mut self, ms: u64) -> Vec<Effect> {
        self.now_ms += ms;
        self.step(Input::Tick)
    }

    /// Completes every write under way, and those that follow from it.
    pub(crate) fn persist_all(&mut self) -> Vec<Effect> {
        let mut all = Vec::new();
        for number in 1..200 {
            let token = PersistToken::new(number);
            all.extend(self.step(Input::Persisted { token }));
        }
        all
    }

    pub(crate) fn origin(&self) -> LogPosition {
        LogPosition::origin(self.genesis.genesis_link())
    }

    /// The epoch `n`, led by the second voter.
    pub(crate) fn epoch(&self, n: u64) -> Epoch {
        Epoch::new(n, self.ids[1])
    }

    pub(crate) fn epoch_start(&self, n: u64, previous: &LogPosition) -> Batch {
        let control = Control::EpochStart {
            observed_prev_high: Seq::ZERO,
        };
        BatchDraft::control(&control).seal(previous, self.epoch(n), 0)
    }

    pub(crate) fn noop(&self, n: u64, previous: &LogPosition, count: u32) -> Batch {
        BatchDraft::control(&Control::Noop { count }).seal(previous, self.epoch(n), 0)
    }

    pub(crate) fn message(
        &mut self,
        from: usize,
        epoch: Epoch,
        message: ChannelMessage,
    ) -> Vec<Effect> {
        let from = self.ids[from];
        self.step(Input::Message {
            from,
            epoch,
            message,
        })
    }

    /// The second voter pushes in epoch `n`.
    pub(crate) fn append(
        &mut self,
        n: u64,
        previous: LogPosition,
        commit: u64,
        batches: Vec<Batch>,
    ) -> Vec<Effect> {
        let append = Append {
            previous,
            commit: Seq::new(commit),
            config_seq: Seq::ZERO,
            batches,
        };
        self.message(1, self.epoch(n), ChannelMessage::Append(append))
    }

    /// A voter acknowledges in the epoch that this replica leads.
    pub(crate) fn ack(&mut self, voter: usize, position: LogPosition) -> Vec<Effect> {
        self.ack_from(self.ids[voter], position)
    }

    /// The same of any node.
    pub(crate) fn ack_from(&mut self, from: VoterId, position: LogPosition) -> Vec<Effect> {
        let ack = AppendAck {
            durable: position.seq,
            durable_link: position.link,
            ack_generation: 0,
            credit: 0,
            disk_level: DiskLevel::Green,
        };
        let epoch = self.replica.leader_row().unwrap().epoch;
        self.step(Input::Message {
            from,
            epoch,
            message: ChannelMessage::AppendAck(ack),
        })
    }

    /// A voter grants this replica the epoch `n`.
    pub(crate) fn vote(&self, kind: VoteKind, voter: usize, n: u64) -> Input {
        let response = VoteResponse {
            kind,
            voter: self.ids[voter],
            refusal: None,
            epoch_seen: Epoch::new(n, VoterId::NONE),
            last: self.origin(),
            leader: None,
            heard: 0,
        };
        Input::Message {
            from: self.ids[voter],
            epoch: Epoch::new(n, self.ids[0]),
            message: ChannelMessage::VoteResponse(response),
        }
    }

    /// The second voter asks for a vote in epoch `n` with a log that ends at `last`.
    pub(crate) fn ask(&mut self, kind: VoteKind, n: u64, last: LogPosition) -> Vec<Effect> {
        let request = VoteRequest {
            kind,
            candidate: self.ids[1],
            last,
            config_seq: Seq::ZERO,
        };
        self.message(1, self.epoch(n), ChannelMessage::VoteRequest(request))
    }

    /// A client sends `count` events from number `base` on, and they become a batch at once.
    pub(crate) fn produce(&mut self, ticket: u64, base: u64, count: u32) -> Vec<Effect> {
        let mut effects = self.stage(ticket, base, count);
        effects.extend(self.step(Input::Flush));
        effects
    }

    pub(crate) fn stage(&mut self, ticket: u64, base: u64, count: u32) -> Vec<Effect> {
        self.step(Input::Produce(request(1, ticket, base, count)))
    }
}

pub(crate) fn request(producer: u8, ticket: u64, base: u64, count: u32) -> ProduceRequest {
    let mut events = EventBlock::builder();
    for _ in 0..count {
        events
            .push(&Event::new(Bytes::from_static(b"event")))
            .unwrap();
    }
    ProduceRequest {
        ticket: Ticket(ticket),
        producer: ProducerId::from_bytes([producer; 16]),
        producer_epoch: ProducerEpoch::new(0),
        base_producer_seq: ProducerSeq::new(base),
        events: events.finish(),
    }
}

fn now(ms: u64) -> Now {
    Now {
        mono: Moment::from_nanos(ms * 1_000_000),
        wall_ms: ms,
    }
}

/// The messages among the effects.
pub(crate) fn sent(effects: &[Effect]) -> Vec<&ChannelMessage> {
    let messages = effects.iter().filter_map(|effect| match effect {
        Effect::Send { message, .. } => Some(message),
        _ => None,
    });
    messages.collect()
}

/// The writes among the effects.
pub(crate) fn written(effects: &[Effect]) -> Vec<&LogWrite> {
    let writes = effects.iter().filter_map(|effect| match effect {
        Effect::Persist { writes, .. } => Some(writes),
        _ => None,
    });
    writes.flatten().collect()
}

/// The answers to clients among the effects.
pub(crate) fn replies(effects: &[Effect]) -> Vec<(u64, &ProduceOutcome)> {
    let replies = effects.iter().filter_map(|effect| match effect {
        Effect::Reply { ticket, outcome } => Some((ticket.0, outcome)),
        _ => None,
    });
    replies.collect()
}

/// The signals of the role changes among the effects.
pub(crate) fn signals(effects: &[Effect]) -> Vec<tetrarch_fsm::TransitionSignal> {
    let changes = effects.iter().filter_map(|effect| match effect {
        Effect::RoleChanged(change) => Some(change.transition.signal()),
        _ => None,
    });
    changes.collect()
}
