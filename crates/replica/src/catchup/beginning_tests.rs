//! A learner and a leader whose log begins behind the learner's: what one says is given to the other.

use std::collections::VecDeque;

use bytes::Bytes;
use tetrarch_wire::{
    ChannelConfig, HardState, LogPosition, NodeId, Seq, StoreId, Voter, VoterId,
    batch::Control,
    frame::{ChannelMessage, SnapshotChunk, SnapshotHeader, SnapshotRequest, SyncNackCode},
};

use crate::{
    Chance, Context, Effect, HaltReason, Input, LogWrite, Moment, Now, PersistFailure,
    PersistToken, Recovered, Replica, Settings,
    membership::ReplicaSet,
    replication::Controls,
    snapshot,
    testing::{Bench, sent},
};

const HEARTBEAT_MS: u64 = 150;

fn voter(byte: u8) -> Voter {
    Voter {
        node: NodeId::from_bytes([byte; 16]),
        store: StoreId::from_bytes([byte; 16]),
    }
}

fn learner_id() -> VoterId {
    voter(4).id()
}

fn set(bench: &Bench) -> ReplicaSet {
    let mut set = ReplicaSet::genesis(&bench.genesis);
    let voters = (1..=4).map(voter).collect();
    let config = ChannelConfig::genesis(bench.genesis.class, voters).unwrap();
    assert_eq!(set.want(&config), Ok(()));
    set
}

/// What the learner's store does with what it is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    Works,
    /// Snapshots are not answered for.
    IsSlow,
    KeepsNoSnapshot,
    /// A new beginning finds no room.
    IsFull,
}

/// A leader and a learner, connected.
struct Pair {
    leader: Bench,
    learner: Bench,
    /// The learner's id.
    who: VoterId,
    /// Who is to hold the channel.
    set: ReplicaSet,
    store: Store,
    /// What the learner wanted saved.
    saved: Vec<(u64, Seq, Bytes)>,
    /// What the learner's store was given, in order.
    written: Vec<LogWrite>,
    halted: Option<HaltReason>,
}

impl Pair {
    /// The leader has appended and committed five events of one producer, one by one, and dropped the first
    /// ones.
    fn new() -> Self {
        let mut leader = Bench::leader(3, Settings::default());
        leader.persist_all();
        for number in 1..=5 {
            leader.produce(number, number, 1);
            commit_with(&mut leader, &[1]);
        }
        let mut pair = Self {
            learner: learner(learner_id(), &leader, Recovered::empty(&leader.genesis)),
            who: learner_id(),
            set: ReplicaSet::genesis(&leader.genesis),
            leader,
            store: Store::Works,
            saved: Vec::new(),
            written: Vec::new(),
            halted: None,
        };
        let log_start = pair.end_of(3);
        pair.leader.step(Input::Trimmed { log_start });
        pair
    }

    /// The end of the leader's batch that ends at a seq.
    fn end_of(&self, seq: u64) -> LogPosition {
        let found = self.leader.replica.log.position_at(Seq::new(seq));
        found.expect("it is in memory")
    }

    /// The third voter is taken out, and the leader knows it no longer.
    fn take_out_the_third(&mut self) {
        let set = self.want(vec![voter(1), voter(2)]);
        self.leader.step(Input::Placed(set));
        commit_with(&mut self.leader, &[1]);
        self.leader.wait(HEARTBEAT_MS);
        commit_with(&mut self.leader, &[1]);
        let taken_out = self.leader.ids[2];
        assert!(!self.leader.replica.config().contains(taken_out));
    }

    fn want(&mut self, voters: Vec<Voter>) -> ReplicaSet {
        let config = ChannelConfig::genesis(self.leader.genesis.class, voters).unwrap();
        assert_eq!(self.set.want(&config), Ok(()));
        self.set.clone()
    }

    /// The catalog names the learner, and the two talk until there is nothing more to say.
    fn meet(&mut self) {
        let set = self.want((1..=4).map(voter).collect());
        self.learner.step(Input::Placed(set.clone()));
        let effects = self.leader.step(Input::Placed(set));
        self.talk(effects, Vec::new());
        self.wait();
    }

    /// A heartbeat passes.
    fn wait(&mut self) {
        let from_leader = self.leader.wait(HEARTBEAT_MS);
        let from_learner = self.learner.wait(HEARTBEAT_MS);
        self.talk(from_leader, from_learner);
    }

    fn talk(&mut self, from_leader: Vec<Effect>, from_learner: Vec<Effect>) {
        let mut said: VecDeque<(bool, Effect)> = VecDeque::new();
        said.extend(from_leader.into_iter().map(|effect| (true, effect)));
        said.extend(from_learner.into_iter().map(|effect| (false, effect)));
        while let Some((is_leader, effect)) = said.pop_front() {
            let answers = match effect {
                Effect::Send {
                    to, epoch, message, ..
                } => {
                    let (from, other) = match is_leader {
                        true => (self.leader.ids[0], &mut self.learner),
                        false => (self.who, &mut self.leader),
                    };
                    if is_leader && to != self.who {
                        continue;
                    }
                    let input = Input::Message {
                        from,
                        epoch,
                        message,
                    };
                    (!is_leader, other.step(input))
                }
                Effect::Persist { token, writes, .. } if !is_leader => {
                    (false, self.write(token, writes))
                }
                Effect::Persist { token, .. } => {
                    (true, self.leader.step(Input::Persisted { token }))
                }
                Effect::SaveSnapshot { save, seq, bytes } => {
                    self.saved.push((save, seq, bytes));
                    (false, self.save(save))
                }
                Effect::Halted(reason) if !is_leader => {
                    self.halted = Some(reason);
                    continue;
                }
                _ => continue,
            };
            let (by_leader, effects) = answers;
            said.extend(effects.into_iter().map(|effect| (by_leader, effect)));
        }
    }

    fn write(&mut self, token: PersistToken, writes: Vec<LogWrite>) -> Vec<Effect> {
        let begins = writes
            .iter()
            .any(|write| matches!(write, LogWrite::Begin(_)));
        if begins && self.store == Store::IsFull {
            let failure = PersistFailure::StorageFull;
            return self.learner.step(Input::PersistFailed { token, failure });
        }
        self.written.extend(writes);
        self.learner.step(Input::Persisted { token })
    }

    fn save(&mut self, save: u64) -> Vec<Effect> {
        match self.store {
            Store::IsSlow => Vec::new(),
            Store::Works | Store::IsFull => {
                let worked = true;
                self.learner.step(Input::SnapshotSaved { save, worked })
            }
            Store::KeepsNoSnapshot => {
                let worked = false;
                self.learner.step(Input::SnapshotSaved { save, worked })
            }
        }
    }

    /// Where the learner's log was told to begin.
    fn begun(&self) -> Vec<LogPosition> {
        let writes = self.written.iter().filter_map(|write| match write {
            LogWrite::Begin(at) => Some(*at),
            _ => None,
        });
        writes.collect()
    }

    /// Whether the learner holds and knows what the leader does.
    fn is_in_step(&self) -> bool {
        assert_eq!(self.halted, None);
        let (leader, learner) = (self.leader.replica.view(), self.learner.replica.view());
        learner.durable == leader.tail && learner.commit == leader.commit
    }
}

/// The other voters hold everything, and so does the disk.
fn commit(leader: &mut Bench) {
    commit_with(leader, &[1, 2]);
}

fn commit_with(leader: &mut Bench, others: &[usize]) {
    leader.persist_all();
    let tail = leader.replica.view().tail;
    let epoch = leader.replica.leader_row().expect("it leads").epoch;
    let sent_at = Moment::from_nanos(leader.now_ms * 1_000_000);
    for &index in others {
        let voter = leader.ids[index];
        leader.step(Input::BeatAcked {
            voter,
            epoch,
            sent_at,
        });
        leader.ack(index, tail);
    }
    assert_eq!(leader.replica.view().commit, tail.seq);
}

fn learner(who: VoterId, leader: &Bench, recovered: Recovered) -> Bench {
    let mut bench = Bench::new(3);
    bench.now_ms = leader.now_ms;
    let (channel, genesis) = (leader.replica.channel, leader.genesis.clone());
    let now = Now {
        mono: Moment::from_nanos(leader.now_ms * 1_000_000),
        wall_ms: leader.now_ms,
    };
    let settings = Settings::default();
    let made = Replica::new(who, channel, genesis, settings, recovered, now);
    bench.replica = made.unwrap();
    bench.step(Input::Select);
    bench
}

#[test]
fn a_learner_begins_where_the_leader_does_and_knows_what_came_before() {
    let mut pair = Pair::new();
    let start = pair.end_of(3);
    pair.meet();
    assert_eq!(pair.begun(), [start]);
    let commit = pair.leader.replica.view().commit;
    let hint = LogWrite::CommitHint(commit);
    assert!(pair.written.contains(&hint), "with what is committed there");
    assert!(pair.is_in_step());
    let learner = &pair.learner.replica;
    assert_eq!(learner.view().log_start, start);
    // The batches that came after the start are in the snapshot, and count once.
    assert_eq!(learner.snapshot(), pair.leader.replica.snapshot());
    assert_eq!(pair.saved.len(), 1);
    assert_eq!(pair.saved[0].1, commit);
}

#[test]
fn what_comes_later_is_followed_as_by_anybody() {
    let mut pair = Pair::new();
    pair.meet();
    let effects = pair.leader.produce(9, 6, 1);
    pair.talk(effects, Vec::new());
    commit(&mut pair.leader);
    pair.wait();
    pair.wait();
    assert!(pair.is_in_step());
    assert_eq!(
        pair.learner.replica.snapshot(),
        pair.leader.replica.snapshot()
    );
}

#[test]
fn a_snapshot_comes_in_parts_of_one() {
    let mut pair = Pair::new();
    pair.leader.step(Input::Placed(set(&pair.leader)));
    pair.leader.replica.settings.frame_bytes = 100;
    let whole = pair.leader.replica.snapshot();
    let (mut of, mut next) = (None, 6);
    let mut bytes = Vec::new();
    let last = loop {
        let ask = SnapshotRequest {
            request: bytes.len() as u64,
            of,
            offset: bytes.len() as u64,
        };
        let chunk = ask_for(&mut pair.leader, learner_id(), ask).expect("a part");
        assert_eq!(chunk.offset, bytes.len() as u64);
        bytes.extend_from_slice(&chunk.bytes);
        // It stays what it was although more is committed.
        pair.leader.produce(next, next, 1);
        next += 1;
        commit(&mut pair.leader);
        of = Some(chunk.of);
        if bytes.len() as u64 == chunk.of.len {
            break chunk;
        }
    };
    assert!(last.offset > 0, "of several parts");
    assert_eq!((last.of.seq, Bytes::from(bytes)), whole);
    // One that is not kept any more is not gone on with.
    for _ in 0..100 {
        pair.leader.wait(HEARTBEAT_MS);
        commit(&mut pair.leader);
    }
    let gone = SnapshotRequest {
        request: 1,
        of,
        offset: 100,
    };
    let another = ask_for(&mut pair.leader, learner_id(), gone).expect("the first part");
    assert_eq!(another.offset, 0);
    assert!(another.of.seq > last.of.seq);
}

/// Two that each ask for another one would have it made anew with every part.
#[test]
fn who_asks_for_a_snapshot_that_is_gone_is_given_the_one_that_is_kept() {
    let mut pair = Pair::new();
    pair.leader.step(Input::Placed(set(&pair.leader)));
    let mut next = 6;
    let mut ask = |of| {
        // One made now would be another one.
        pair.leader.produce(next, next, 1);
        next += 1;
        commit(&mut pair.leader);
        let part = ask_for(&mut pair.leader, learner_id(), first_part(of));
        part.expect("a part").of
    };
    let kept = ask(None);
    let gone = SnapshotHeader {
        checksum: !kept.checksum,
        ..kept
    };
    assert_eq!(ask(Some(gone)), kept);
    assert_eq!(ask(None), kept);
}

/// It could make no use of it, and would ask for the same one again and again.
#[test]
fn who_was_taken_out_is_given_no_snapshot_that_names_it() {
    let mut pair = Pair::new();
    let all = pair.want((1..=4).map(voter).collect());
    pair.leader.step(Input::Placed(all));
    let ask = first_part(None);
    let earlier = ask_for(&mut pair.leader, learner_id(), ask).expect("a part");
    let without = pair.want(vec![voter(1), voter(2)]);
    pair.leader.step(Input::Placed(without));
    let taken_out = pair.leader.ids[2];
    assert!(!pair.leader.replica.config().contains(taken_out));
    assert_eq!(ask_for(&mut pair.leader, taken_out, ask), None, "not yet");
    commit_with(&mut pair.leader, &[1]);
    let given = ask_for(&mut pair.leader, taken_out, ask).expect("a part");
    assert!(given.of.seq > earlier.of.seq);
}

const fn first_part(of: Option<SnapshotHeader>) -> SnapshotRequest {
    SnapshotRequest {
        request: 1,
        of,
        offset: 0,
    }
}

fn ask_for(leader: &mut Bench, who: VoterId, ask: SnapshotRequest) -> Option<SnapshotChunk> {
    let epoch = leader.replica.leader_row().expect("it leads").epoch;
    let effects = leader.step(Input::Message {
        from: who,
        epoch,
        message: ChannelMessage::SnapshotRequest(ask),
    });
    sent(&effects)
        .into_iter()
        .find_map(|message| match message {
            ChannelMessage::SnapshotChunk(chunk) => Some(chunk.clone()),
            ChannelMessage::SyncNack(nack) => {
                let is_voter = leader.replica.config().contains(who);
                let expected = match is_voter {
                    true => SyncNackCode::Trimmed,
                    false => SyncNackCode::Busy,
                };
                assert_eq!(nack.code, expected);
                None
            }
            _ => None,
        })
}

#[test]
fn a_voter_gets_no_snapshot_nor_does_anybody_of_a_log_that_is_whole() {
    let mut pair = Pair::new();
    let ask = first_part(None);
    let voter = pair.leader.ids[1];
    assert_eq!(ask_for(&mut pair.leader, voter, ask), None);
    let mut whole = Bench::leader(3, Settings::default());
    whole.persist_all();
    whole.step(Input::Placed(set(&whole)));
    assert_eq!(ask_for(&mut whole, learner_id(), ask), None);
}

/// An election may depend on what it holds.
#[test]
fn who_is_a_voter_or_may_be_one_again_keeps_its_log() {
    let bench = Bench::new(3);
    let (me, genesis) = (bench.ids[0], bench.genesis.clone());
    let others = vec![voter(2), voter(3)];
    let without = ChannelConfig::genesis(genesis.class, others).unwrap();
    let mut controls = Controls::new(genesis.clone(), Seq::ZERO);
    controls.apply(Seq::new(5), Some(&Control::Config(without)));
    assert!(
        !controls.name_after(me, Seq::ZERO),
        "what comes first is known to be over"
    );
    controls.apply(Seq::new(9), Some(&Control::Config(genesis)));
    assert!(controls.name_after(me, Seq::new(8)), "it votes already");
    assert!(!controls.name_after(me, Seq::new(9)));
    controls.truncate(Seq::new(8));
    assert!(!controls.name_after(me, Seq::new(5)));
}

/// It lacks the very configuration that took it out, and has only the leader's word for it.
#[test]
fn who_does_not_know_that_it_has_no_vote_any_more_begins_anew() {
    let mut pair = Pair::new();
    let taken_out = pair.leader.ids[2];
    pair.take_out_the_third();
    pair.who = taken_out;
    pair.learner = learner(
        taken_out,
        &pair.leader,
        Recovered::empty(&pair.leader.genesis),
    );
    assert!(pair.learner.replica.config().contains(taken_out));
    pair.meet();
    assert_eq!(pair.begun(), [pair.end_of(3)]);
    assert!(pair.is_in_step());
    assert!(!pair.learner.replica.config().contains(taken_out));
}

/// Its leader should have waited for it before it dropped anything.
#[test]
fn a_voter_without_the_beginning_of_the_log_is_halted() {
    let mut pair = Pair::new();
    let asks = pair.leader.ids[2];
    pair.who = asks;
    pair.learner = learner(asks, &pair.leader, Recovered::empty(&pair.leader.genesis));
    pair.meet();
    assert_eq!(pair.begun(), []);
    let expected = HaltReason::MissingRange {
        tail: Seq::ZERO,
        leader_log_start: Seq::new(4),
    };
    assert_eq!(pair.halted, Some(expected));
}

/// It was trimmed here as well, says its snapshot, and the log has been lost since.
#[test]
fn that_it_was_dropped_on_purpose_gives_nothing_back_to_a_voter() {
    let mut pair = Pair::new();
    let asks = pair.leader.ids[2];
    let before = &pair.leader.replica;
    let says = snapshot::encode(before.config(), Seq::new(3), &before.producers);
    let recovered = Recovered {
        hard_state: HardState::in_limbo(0),
        snapshot: Some((Seq::new(5), says)),
        ..Recovered::empty(&pair.leader.genesis)
    };
    pair.who = asks;
    pair.learner = learner(asks, &pair.leader, recovered);
    assert_eq!(pair.learner.replica.controls.trim_point(), Seq::new(3));
    pair.meet();
    assert_eq!(pair.begun(), []);
    let expected = HaltReason::MissingRange {
        tail: Seq::ZERO,
        leader_log_start: Seq::new(4),
    };
    assert_eq!(pair.halted, Some(expected));
}

#[test]
fn nothing_begins_without_its_snapshot() {
    for store in [Store::IsSlow, Store::KeepsNoSnapshot] {
        let mut pair = Pair::new();
        pair.store = store;
        pair.meet();
        assert!(!pair.saved.is_empty());
        pair.wait();
        assert_eq!(pair.begun(), []);
    }
    let mut pair = Pair::new();
    pair.store = Store::KeepsNoSnapshot;
    pair.meet();
    pair.store = Store::Works;
    (0..4).for_each(|_| pair.wait());
    assert!(pair.is_in_step(), "it is tried again");
}

/// Nothing that knows less may take its place in the store.
#[test]
fn while_a_snapshot_is_being_saved_no_other_is() {
    let mut pair = Pair::new();
    pair.store = Store::IsSlow;
    pair.meet();
    let (_, seq, bytes) = pair.saved[0].clone();
    assert_eq!(pair.learner.replica.snapshot(), (seq, bytes));
}

#[test]
fn a_beginning_without_room_leaves_the_log_as_it_was_and_is_tried_again() {
    let mut pair = Pair::new();
    pair.store = Store::IsFull;
    pair.meet();
    assert_eq!(pair.learner.replica.view().log_start.seq, Seq::ZERO);
    pair.store = Store::Works;
    (0..6).for_each(|_| pair.wait());
    assert!(pair.is_in_step());
}

/// What the snapshot stands at was committed when it was given.
#[test]
fn a_log_that_has_begun_is_not_cut_below_its_snapshot() {
    let mut pair = Pair::new();
    pair.meet();
    let begun = &pair.learner.replica;
    assert_eq!(begun.commit_floor(), begun.covered);
    let recovered = Recovered {
        hard_state: begun.hard_state,
        log_start: pair.end_of(3),
        tail: pair.end_of(4),
        commit_hint: pair.saved[0].1,
        snapshot: Some((pair.saved[0].1, pair.saved[0].2.clone())),
        ..Recovered::empty(&pair.leader.genesis)
    };
    let mut bench = learner(learner_id(), &pair.leader, recovered);
    let point = pair.end_of(3);
    let mut effects = Vec::new();
    let mut ctx = Context {
        now: Now {
            mono: Moment::default(),
            wall_ms: 0,
        },
        chance: &mut Never,
        effects: &mut effects,
    };
    assert!(!bench.replica.truncate(point, &mut ctx));
    assert!(matches!(
        bench.replica.view().halted,
        Some(HaltReason::WouldTruncateCommitted { .. })
    ));
}

struct Never;

impl Chance for Never {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// The power went when the snapshot was kept, and before the log began anew.
#[test]
fn a_snapshot_that_is_ahead_of_an_empty_log_does_no_harm() {
    let mut pair = Pair::new();
    pair.store = Store::IsSlow;
    pair.meet();
    let (_, seq, bytes) = pair.saved[0].clone();
    let recovered = Recovered {
        hard_state: pair.learner.replica.hard_state,
        snapshot: Some((seq, bytes)),
        ..Recovered::empty(&pair.leader.genesis)
    };
    pair.learner = learner(learner_id(), &pair.leader, recovered);
    assert_eq!(pair.learner.replica.commit_floor(), Seq::ZERO);
    pair.store = Store::Works;
    pair.meet();
    (0..4).for_each(|_| pair.wait());
    assert_eq!(pair.begun().len(), 1);
    assert!(pair.is_in_step());
    assert_eq!(
        pair.learner.replica.snapshot(),
        pair.leader.replica.snapshot()
    );
}

/// A leader that still has the first batches sends them all: those that the snapshot covers count once.
#[test]
fn what_a_snapshot_covers_takes_effect_once() {
    let snapshot = Pair::new().leader.replica.snapshot();
    let mut whole = Pair::new();
    whole.leader = Bench::leader(3, Settings::default());
    whole.leader.persist_all();
    for number in 1..=5 {
        whole.leader.produce(number, number, 1);
        commit(&mut whole.leader);
    }
    let recovered = Recovered {
        snapshot: Some(snapshot.clone()),
        ..Recovered::empty(&whole.leader.genesis)
    };
    whole.learner = learner(learner_id(), &whole.leader, recovered);
    whole.meet();
    (0..3).for_each(|_| whole.wait());
    assert!(whole.is_in_step());
    assert_eq!(whole.begun(), []);
    assert_eq!(whole.learner.replica.snapshot(), snapshot);
}
