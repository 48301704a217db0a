//! A share of channels, turn by turn.

use std::time::Duration;

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{ChannelConfig, ChannelUid, Epoch, NodeId, Seq, StoreId, Voter, VoterId};

use super::*;
use crate::{
    Chance, HaltReason, Input, Moment, Now, Settings,
    beat::{ChannelFact, LocalChannel, Repeat, Roll},
    membership::ReplicaSet,
    testing::{Bench, replies, request, signals, written},
};

const HEARTBEAT: Duration = Duration::from_millis(150);
/// When a bench has made its replica.
const BEGUN: u64 = 1_000;

struct NoChance;

impl Chance for NoChance {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

fn moment(ms: u64) -> Moment {
    Moment::from_nanos(ms * 1_000_000)
}

/// A shard with one channel, whose replica a bench made.
struct One {
    shard: Shard<()>,
    channel: ChannelUid,
    ids: Vec<VoterId>,
}

impl One {
    fn of(bench: Bench) -> Self {
        let channel = ChannelUid::derive("bench", &[0; 16]);
        let mut shard = Shard::new(Keeper::default(), HEARTBEAT);
        assert!(shard.add(channel, bench.replica, ()));
        Self {
            shard,
            channel,
            ids: bench.ids,
        }
    }

    /// Lets something happen at a time; gives what the beats are told before anything else, and
    /// the effects after that.
    fn at<T>(
        &mut self,
        ms: u64,
        act: impl FnOnce(&mut Shard<()>, &mut Turn<'_>) -> T,
    ) -> (T, Vec<LocalChannel>, Vec<Effect>) {
        let mut all = Vec::new();
        let mut turn = Turn {
            now: Now {
                mono: moment(ms),
                wall_ms: ms,
            },
            chance: &mut NoChance,
            effects: &mut all,
        };
        let result = act(&mut self.shard, &mut turn);
        let (mut stamps, mut effects) = (Vec::new(), Vec::new());
        for effect in all {
            match effect {
                ShardEffect::Stamp(local) => {
                    assert!(effects.is_empty(), "the beats are told first");
                    stamps.push(local);
                }
                ShardEffect::Replica(channel, effect) => {
                    assert_eq!(channel, self.channel);
                    effects.push(effect);
                }
            }
        }
        (result, stamps, effects)
    }

    fn step(&mut self, ms: u64, input: Input) -> (Vec<LocalChannel>, Vec<Effect>) {
        let channel = self.channel;
        let (_, stamps, effects) = self.at(ms, |shard, turn| shard.step(channel, input, turn));
        (stamps, effects)
    }

    fn settle(&mut self, ms: u64) -> (Vec<ChannelUid>, Vec<Effect>) {
        let (settled, _, effects) = self.at(ms, Shard::settle);
        (settled, effects)
    }

    /// The second voter leads epoch 1, and a beat of it says so in `roll`.
    fn heard(&self, roll: Roll, ms: u64) -> ChannelFact {
        ChannelFact::LeaderHeard {
            channel: self.channel,
            epoch: Epoch::new(1, self.ids[1]),
            commit: Seq::FIRST,
            roll,
            at: moment(ms),
        }
    }
}

#[test]
fn the_beats_are_told_what_is_new_before_anything_leaves() {
    let mut one = One::of(Bench::new(3));
    let (told, _) = one.step(BEGUN, Input::Tick);
    assert_eq!(told.len(), 1, "nobody has told them of the channel yet");
    let (told, _) = one.step(BEGUN, Input::Tick);
    assert!(told.is_empty(), "nothing is new");

    let vote = |kind| tetrarch_wire::frame::VoteRequest {
        kind,
        candidate: one.ids[1],
        last: tetrarch_wire::LogPosition::origin(tetrarch_wire::Link::genesis(&[])),
        config_seq: Seq::ZERO,
    };
    let message = Input::Message {
        from: one.ids[1],
        epoch: Epoch::new(5, one.ids[1]),
        message: tetrarch_wire::frame::ChannelMessage::VoteRequest(vote(
            tetrarch_wire::frame::VoteKind::Transfer,
        )),
    };
    let (told, effects) = one.step(BEGUN, message);
    assert_eq!(told.len(), 1, "it has seen a higher epoch: {effects:?}");
    assert_eq!(told[0].epoch_seen.n, 5);
}

#[test]
fn what_arrives_together_becomes_one_batch_when_the_turn_ends() {
    let mut one = One::of(Bench::leader(1, Settings::default()));
    for base in 1..4 {
        let (_, effects) = one.step(BEGUN, Input::Produce(request(1, base, base, 1)));
        assert!(written(&effects).is_empty(), "it waits for the turn's end");
    }
    let (settled, effects) = one.settle(BEGUN);
    assert_eq!(settled, [one.channel]);
    assert_eq!(written(&effects).len(), 1, "{effects:?}");
    let (settled, _) = one.settle(BEGUN);
    assert!(settled.is_empty(), "nothing has happened since");
}

#[test]
fn beats_move_a_deadline_on_without_waking_anybody() {
    let mut one = One::of(Bench::follower(3));
    let roll = Roll::NONE.next();
    let fact = one.heard(roll, BEGUN);
    one.at(BEGUN, |shard, turn| {
        shard.on_beat(vec![fact], &[], turn);
        shard.settle(turn)
    });
    let first = one.shard.next_deadline().expect("a follower has a timer");
    // The leader is heard again and again; the channel itself is not looked at.
    let before = first.as_nanos() / 1_000_000 - 1;
    let repeat = Repeat::Heard {
        leader: one.ids[1],
        roll,
        at: moment(before),
    };
    let (_, _, effects) = one.at(before, |shard, turn| shard.on_beat(vec![], &[repeat], turn));
    assert!(effects.is_empty());
    assert_eq!(one.shard.next_deadline(), Some(first), "the timer stays");

    let (_, _, effects) = one.at(before + 1, Shard::tick);
    assert!(effects.is_empty(), "it stands all the same: {effects:?}");
    let next = one.shard.next_deadline().expect("it is set again");
    assert!(next > first);

    let silent = next.as_nanos() / 1_000_000 + 1;
    let (_, _, effects) = one.at(silent, Shard::tick);
    assert!(
        !effects.is_empty(),
        "after silence it asks whether it may stand"
    );
}

#[test]
fn a_leader_that_is_read_through_waits_for_the_next_acknowledgement() {
    let mut one = One::of(Bench::leader(3, Settings::default()));
    let ticket = crate::Ticket(9);
    let later = BEGUN + 100;
    let (_, effects) = one.step(later, Input::ReadIndex { ticket });
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::BeatNow))
    );
    let epoch = Epoch::new(1, one.ids[0]);
    let roll = Roll::NONE.next();
    let acked = |voter, sent_at| ChannelFact::BeatAcked {
        channel: one.channel,
        voter,
        epoch,
        roll,
        sent_at: moment(sent_at),
    };
    let facts = vec![acked(one.ids[1], later - 1)];
    let (_, _, effects) = one.at(later + 1, |shard, turn| shard.on_beat(facts, &[], turn));
    assert!(
        !is_ready(&effects),
        "that beat was sent before it was asked"
    );
    let repeat = Repeat::Acked {
        voter: one.ids[1],
        roll,
        sent_at: moment(later),
    };
    let (_, _, effects) = one.at(later + 2, |shard, turn| {
        shard.on_beat(vec![], &[repeat], turn);
    });
    assert!(is_ready(&effects), "a repetition is enough: {effects:?}");
}

fn is_ready(effects: &[Effect]) -> bool {
    let mut ready = effects.iter();
    ready.any(|effect| matches!(effect, Effect::ReadIndexReady { result: Ok(_), .. }))
}

#[test]
fn only_channels_to_which_something_happened_are_stamped_and_leaders_with_lag() {
    let mut quiet = One::of(Bench::follower(3));
    quiet.step(BEGUN, Input::Tick);
    assert_eq!(quiet.shard.stamps_due(&[]).len(), 1);
    assert_eq!(quiet.shard.stamps_due(&[]).len(), 0);
    assert_eq!(quiet.shard.stamps_due(&[quiet.channel]).len(), 1, "owed");

    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 1);
    let mut leader = One::of(bench);
    leader.step(BEGUN, Input::Tick);
    for _ in 0..3 {
        let stamps = leader.shard.stamps_due(&[]);
        assert_eq!(stamps.len(), 1, "a follower does not have the event yet");
    }
}

#[test]
fn a_channel_is_here_once_and_gone_when_it_was_removed() {
    let mut one = One::of(Bench::new(3));
    let again = Bench::new(3).replica;
    assert!(!one.shard.add(one.channel, again, ()));
    let peer = one.ids[2];
    assert_eq!(one.shard.held_with(peer).count(), 1);
    assert_eq!(one.shard.held_with(one.ids[0]).count(), 0, "that is itself");

    let (_, effects) = one.step(BEGUN, Input::Close);
    assert_eq!(signals(&effects), [TransitionSignal::ChannelClose]);
    assert!(one.shard.remove(one.channel).is_some());
    assert!(!one.shard.contains(one.channel));
    let (stamps, effects) = one.step(BEGUN, Input::Produce(request(1, 1, 1, 1)));
    assert!(stamps.is_empty() && replies(&effects).is_empty());
    assert_eq!(one.shard.next_deadline(), None);
}

#[test]
fn memory_is_shared_by_those_that_need_it_but_none_is_left_with_nothing() {
    assert_eq!(fair_share(64 << 20, 0), 64 << 20);
    assert_eq!(fair_share(64 << 20, 4), 16 << 20);
    assert_eq!(fair_share(64 << 20, 100_000), MIN_RECENT_BYTES);
}

#[test]
fn of_those_that_come_a_leader_knows_whether_they_are_there() {
    let leader = Bench::leader(3, Settings::default());
    let voter = |byte| Voter {
        node: NodeId::from_bytes([byte; 16]),
        store: StoreId::from_bytes([byte; 16]),
    };
    let wanted = (1..=5).map(voter).collect();
    let wanted = ChannelConfig::genesis(leader.genesis.class, wanted).unwrap();
    let mut set = ReplicaSet::genesis(&leader.genesis);
    set.want(&wanted).unwrap();
    let mut one = One::of(leader);
    let (channel, present) = (one.channel, voter(4).id());
    let is_connected = |voter| voter == present;
    one.at(BEGUN, |shard, turn| {
        shard.placed(channel, set, is_connected, turn);
    });
    let (replica, ()) = one.shard.get(channel).unwrap();
    let mut known: Vec<_> = replica.followers().collect();
    known.retain(|one| [voter(4).id(), voter(5).id()].contains(&one.voter));
    assert_eq!(known.len(), 2);
    assert!(
        known
            .iter()
            .all(|one| one.connected == is_connected(one.voter))
    );
}

/// Only one that was halted from its beginning on can be opened anew without losing a promise.
#[test]
fn what_waits_for_mending_is_what_was_damaged_when_it_was_opened() {
    let damaged = Bench::with(3, Settings::default(), |recovered| recovered.damaged = true);
    let mut later = Bench::leader(1, Settings::default());
    later.step(Input::Damaged {
        segment: Seq::FIRST,
    });
    assert_eq!(later.replica.view().halted, Some(HaltReason::Corrupt));
    for (bench, expected) in [(damaged, true), (later, false), (Bench::new(3), false)] {
        let one = One::of(bench);
        assert_eq!(one.shard.waits_for_mending(one.channel), expected);
    }
}

#[test]
fn few_segments_are_mended_at_a_time_and_those_that_rest_keep_none_waiting() {
    let channels: Vec<ChannelUid> = (0..6)
        .map(|index| ChannelUid::derive("bench", &[index; 16]))
        .collect();
    let mut shard = Shard::new(Keeper::default(), HEARTBEAT);
    for channel in &channels {
        assert!(shard.add(*channel, Bench::new(3).replica, ()));
    }
    let damaged: Vec<_> = channels.iter().map(|uid| (*uid, Seq::FIRST)).collect();
    let mut effects = Vec::new();
    let mut turn = Turn {
        now: Now {
            mono: moment(BEGUN),
            wall_ms: BEGUN,
        },
        chance: &mut NoChance,
        effects: &mut effects,
    };
    assert_eq!(shard.mend(damaged.clone(), &mut turn), damaged[..4]);
    assert_eq!(shard.mend(damaged.clone(), &mut turn), []);
    let input = Input::Mended {
        segment: Seq::FIRST,
        outcome: crate::MendOutcome::Failed,
    };
    shard.step(channels[0], input, &mut turn);
    assert_eq!(shard.mend(damaged.clone(), &mut turn), damaged[4..5]);
}
