//! Levels and their hysteresis, and what a replica in each role does at each level.

use std::time::Duration;

use tetrarch_fsm::TransitionSignal::{
    self, CandidateDiskPressureWithdraw, CapabilitySelected, DiskPressureWithdraw,
    GracefulRelinquish, LeaderDiskPressureWithdraw, MissedHeartbeats, QuorumLost,
};
use tetrarch_wire::{
    ReplicaRole, Seq,
    frame::{
        AppendAck, AppendNack, ChannelMessage,
        DiskLevel::{self, Critical, Full, Green, Low},
        NackCode, ProduceOutcome, VoteKind,
    },
};

use super::DiskGauge;
use crate::{
    Effect, Input, Moment, Proposal, Settings, Ticket,
    testing::{Bench, replies, sent, signals},
};

const GIB: u64 = 1 << 30;

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

#[test]
fn a_level_is_entered_at_once_and_left_after_a_while_with_more_room() {
    let mut gauge = DiskGauge::new(GIB / 64, DiskGauge::DWELL);
    let mut look = |percent: u64, second| gauge.look(percent * GIB, 100 * GIB, at(second));
    let steps = [
        (10, 0, Green),
        (9, 1, Low),
        // There is room again, but not clearly more, or not for long.
        (14, 2, Low),
        (15, 100, Low),
        (15, 129, Low),
        (15, 130, Green),
        (4, 131, Critical),
        (9, 140, Critical),
        (15, 150, Critical),
        (14, 179, Critical),
        (15, 180, Critical),
        (0, 181, Full),
        (20, 190, Full),
        (20, 219, Full),
        (20, 220, Green),
    ];
    for (percent, second, expected) in steps {
        assert_eq!(look(percent, second), expected, "{percent} % at {second} s");
    }
}

#[test]
fn of_a_large_disk_no_large_part_lies_idle() {
    let mut gauge = DiskGauge::new(GIB / 16, Duration::ZERO);
    let size = 16_384 * GIB;
    assert_eq!(gauge.look(16 * GIB, size, at(0)), Green);
    assert_eq!(gauge.look(15 * GIB, size, at(0)), Low);
    assert_eq!(gauge.look(7 * GIB, size, at(0)), Critical);
    assert_eq!(gauge.look(GIB - 1, size, at(0)), Full);
    assert_eq!(gauge.look(23 * GIB, size, at(0)), Full);
    assert_eq!(gauge.look(24 * GIB, size, at(0)), Green);
}

#[test]
fn small_disks_keep_room_for_files_of_the_log() {
    let mut gauge = DiskGauge::new(16, Duration::ZERO);
    assert_eq!(gauge.look(64, 400, at(0)), Green);
    assert_eq!(gauge.look(63, 400, at(0)), Low);
    assert_eq!(gauge.look(31, 400, at(0)), Critical);
    assert_eq!(gauge.look(3, 400, at(0)), Full);
}

#[test]
fn a_write_that_found_no_room_counts_for_more_than_what_the_disk_says() {
    let mut gauge = DiskGauge::new(GIB / 64, DiskGauge::DWELL);
    gauge.look(90 * GIB, 100 * GIB, at(0));
    gauge.refused();
    assert_eq!(gauge.level(), Full);
    assert_eq!(gauge.look(90 * GIB, 100 * GIB, at(40)), Full);
    assert_eq!(gauge.look(90 * GIB, 100 * GIB, at(70)), Green);
}

fn level(bench: &mut Bench, level: DiskLevel) -> Vec<TransitionSignal> {
    signals(&bench.step(Input::DiskLevel(level)))
}

/// A voter acknowledges everything, and says how full its disk is.
fn acknowledge(bench: &mut Bench, voter: usize, disk_level: DiskLevel) -> Vec<Effect> {
    let tail = bench.replica.view().tail;
    let ack = AppendAck {
        durable: tail.seq,
        durable_link: tail.link,
        ack_generation: 0,
        credit: 0,
        disk_level,
    };
    let epoch = bench.replica.leader_row().unwrap().epoch;
    bench.message(voter, epoch, ChannelMessage::AppendAck(ack))
}

/// How many followers are asked where they stand.
fn probes(effects: &[Effect]) -> usize {
    let is_probe = |message: &&&ChannelMessage| match message {
        ChannelMessage::Append(append) => append.batches.is_empty(),
        _ => false,
    };
    sent(effects).iter().filter(is_probe).count()
}

fn says_full(effects: &[Effect]) -> bool {
    let replies = replies(effects);
    matches!(replies[..], [(_, ProduceOutcome::StorageFull)])
}

fn refuses_for_disk(effects: &[Effect]) -> bool {
    let is_nack = |message: &&ChannelMessage| match message {
        ChannelMessage::AppendNack(nack) => nack.code == NackCode::DiskPressure,
        _ => false,
    };
    sent(effects).iter().any(is_nack)
}

#[test]
fn a_replica_withdraws_votes_on_and_comes_back() {
    let mut bench = Bench::follower(3);
    assert_eq!(level(&mut bench, Low), []);
    assert_eq!(level(&mut bench, Critical), [DiskPressureWithdraw]);
    assert_eq!(level(&mut bench, Full), []);
    let tail = bench.replica.view().tail;
    let more = bench.noop(1, &tail, 1);
    assert!(refuses_for_disk(&bench.append(1, tail, 0, vec![more])));
    assert!(refuses_for_disk(&bench.append(1, tail, 0, vec![])));
    assert_eq!(bench.replica.view().tail, tail);
    assert_eq!(signals(&bench.wait(10_000)), [], "it never stands");
    bench.ask(VoteKind::Vote, 2, tail);
    let answers = bench.persist_all();
    let granted = |message: &&ChannelMessage| match message {
        ChannelMessage::VoteResponse(response) => response.refusal.is_none(),
        _ => false,
    };
    assert!(sent(&answers).iter().any(granted), "{answers:?}");
    assert_eq!(level(&mut bench, Low), []);
    assert_eq!(level(&mut bench, Green), [CapabilitySelected]);
    assert_eq!(level(&mut bench, Green), []);
}

#[test]
fn a_parked_replica_follows_its_leader_and_does_not_help_to_depose_it() {
    let mut bench = Bench::follower(3);
    level(&mut bench, Critical);
    let epoch = bench.epoch(1);
    bench.now_ms += 10_000;
    let at = Moment::from_nanos(bench.now_ms * 1_000_000);
    bench.step(Input::LeaderHeard {
        epoch,
        commit: bench.replica.view().commit,
        at,
    });
    let tail = bench.replica.view().tail;
    let answers = bench.ask(VoteKind::Pre, 2, tail);
    let refused = |message: &&ChannelMessage| match message {
        ChannelMessage::VoteResponse(response) => response.refusal.is_some(),
        _ => false,
    };
    assert!(sent(&answers).iter().any(refused), "{answers:?}");
    assert_eq!(bench.replica.view().leader, Some(bench.ids[1]));
}

#[test]
fn a_candidate_withdraws() {
    let mut bench = Bench::follower(3);
    assert_eq!(signals(&bench.wait(10_000)), [MissedHeartbeats]);
    assert_eq!(level(&mut bench, Critical), [CandidateDiskPressureWithdraw]);
}

#[test]
fn a_leader_hands_over_to_a_voter_with_room_and_then_withdraws() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 1);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    bench.ack(2, tail);
    bench.ack(1, tail);
    // The third one holds as much, but has no room either.
    let nack = AppendNack {
        code: NackCode::DiskPressure,
        tail,
        history: Vec::new(),
    };
    let epoch = bench.replica.leader_row().unwrap().epoch;
    bench.message(2, epoch, ChannelMessage::AppendNack(nack));
    let effects = bench.step(Input::DiskLevel(Critical));
    let to_second = |effect: &Effect| match effect {
        Effect::Send { to, message, .. } => {
            *to == bench.ids[1] && matches!(message, ChannelMessage::TransferNow(_))
        }
        _ => false,
    };
    assert!(effects.iter().any(to_second), "{effects:?}");
    assert_eq!(signals(&effects), []);
    let effects = bench.ask(VoteKind::Transfer, 2, tail);
    assert_eq!(signals(&effects), [LeaderDiskPressureWithdraw]);
    assert_eq!(sent(&bench.persist_all()).len(), 1, "its vote");
    assert_eq!(level(&mut bench, Green), [CapabilitySelected]);
}

/// Its last write may never end: it waits for room.
#[test]
fn a_leader_whose_writes_stand_still_refuses_what_waits_and_hands_over() {
    let settings = Settings {
        outstanding_persists: 1,
        ..Settings::default()
    };
    let mut bench = Bench::leader(3, settings);
    bench.produce(1, 1, 1);
    assert_eq!(replies(&bench.produce(2, 2, 1)), [], "it waits");
    bench.step(Input::Propose(Proposal::Trim { upto: Seq::new(1) }));
    let effects = bench.step(Input::DiskLevel(Full));
    assert!(says_full(&effects), "{effects:?}");
    let tail = bench.replica.view().tail;
    let effects = bench.ack(1, tail);
    let effects = [effects, bench.ack(2, tail)].concat();
    let is_order = |message: &&ChannelMessage| matches!(message, ChannelMessage::TransferNow(_));
    assert!(sent(&effects).iter().any(is_order), "{effects:?}");
    let effects = bench.ask(VoteKind::Transfer, 2, tail);
    assert_eq!(signals(&effects), [LeaderDiskPressureWithdraw]);
}

#[test]
fn a_leader_with_little_room_hands_over_and_follows() {
    let mut bench = Bench::leader(3, Settings::default());
    let tail = bench.replica.view().tail;
    bench.ack(1, tail);
    bench.step(Input::DiskLevel(Low));
    let successor = bench.ask(VoteKind::Transfer, 2, tail);
    assert_eq!(
        signals(&successor),
        [GracefulRelinquish, CapabilitySelected]
    );
}

#[test]
fn a_leader_whom_nobody_can_relieve_is_frozen_until_there_is_room() {
    let mut bench = Bench::leader(1, Settings::default());
    assert_eq!(level(&mut bench, Critical), []);
    assert_eq!(bench.replica.view().role, ReplicaRole::Leader);
    assert!(bench.replica.view().storage_full);
    assert!(says_full(&bench.stage(1, 1, 1)));
    let read = bench.step(Input::ReadIndex {
        ticket: crate::Ticket(7),
    });
    assert!(matches!(
        read[..],
        [Effect::ReadIndexReady { result: Ok(_), .. }]
    ));
    assert_eq!(level(&mut bench, Green), []);
    assert_eq!(replies(&bench.stage(1, 1, 1)), []);
}

/// A deposed leader is a replica with a full disk like any other.
#[test]
fn a_frozen_leader_that_loses_its_majority_withdraws() {
    let mut bench = Bench::leader(3, Settings::default());
    level(&mut bench, Critical);
    let effects = bench.wait(10_000);
    assert_eq!(signals(&effects), [QuorumLost, DiskPressureWithdraw]);
}

#[test]
fn while_a_majority_is_parked_the_channel_is_read_only() {
    let mut bench = Bench::leader(3, Settings::default());
    let epoch = bench.replica.leader_row().unwrap().epoch;
    let tail = bench.replica.view().tail;
    for voter in [1, 2] {
        assert!(!says_full(&bench.stage(voter, voter, 1)));
        let nack = AppendNack {
            code: NackCode::DiskPressure,
            tail,
            history: Vec::new(),
        };
        bench.message(
            usize::try_from(voter).unwrap(),
            epoch,
            ChannelMessage::AppendNack(nack),
        );
    }
    assert!(says_full(&bench.stage(3, 3, 1)));
    bench.ack(1, tail);
    assert!(!says_full(&bench.stage(4, 3, 1)));
}

#[test]
fn a_channel_that_is_taken_up_while_the_disk_is_full_waits() {
    let mut bench = Bench::new(3);
    bench.step(Input::Close);
    assert_eq!(level(&mut bench, Critical), []);
    bench.step(Input::Select);
    assert!(bench.replica.is_parked());
    assert_eq!(level(&mut bench, Green), [CapabilitySelected]);
    // Who was closed while it was parked does not come back.
    level(&mut bench, Full);
    bench.step(Input::Close);
    assert_eq!(level(&mut bench, Green), []);
}

/// What it acknowledged last, it acknowledged from a full disk: without events nothing else would tell
/// the leader that there is room again, and without room it takes no events.
#[test]
fn a_follower_that_said_that_its_disk_is_full_is_asked_again() {
    let mut bench = Bench::leader(3, Settings::default());
    acknowledge(&mut bench, 1, Critical);
    acknowledge(&mut bench, 2, Full);
    assert!(says_full(&bench.stage(1, 1, 1)));
    let deadline = bench.replica.next_deadline().expect("it asks again");
    assert!(deadline <= Moment::from_nanos((bench.now_ms + 150) * 1_000_000));
    assert_eq!(probes(&bench.wait(150)), 2);
    acknowledge(&mut bench, 2, Green);
    assert!(!says_full(&bench.stage(2, 1, 1)));
}

#[test]
fn a_leader_that_knows_nobody_with_room_asks_before_it_gives_up() {
    let mut bench = Bench::leader(3, Settings::default());
    for voter in [1, 2] {
        acknowledge(&mut bench, voter, Low);
    }
    assert_eq!(
        probes(&bench.wait(150)),
        0,
        "a low disk is no reason to ask"
    );
    assert_eq!(probes(&bench.step(Input::DiskLevel(Critical))), 2);
    acknowledge(&mut bench, 1, Green);
    let is_order = |message: &&ChannelMessage| matches!(message, ChannelMessage::TransferNow(_));
    for voter in [1, 2] {
        let epoch = bench.replica.leader_row().unwrap().epoch;
        let sent_at = Moment::from_nanos((bench.now_ms + 400) * 1_000_000);
        bench.now_ms += 400;
        let voter = bench.ids[voter];
        bench.step(Input::BeatAcked {
            voter,
            epoch,
            sent_at,
        });
    }
    bench.now_ms += 100;
    let effects = bench.wait(0);
    assert!(sent(&effects).iter().any(is_order), "{effects:?}");
}

/// Without the catalog nothing can be deleted to make room.
#[test]
fn a_channel_that_does_not_withdraw_goes_on_as_long_as_the_disk_takes_its_writes() {
    let settings = Settings {
        withdraws: false,
        ..Settings::default()
    };
    let mut bench = Bench::leader(3, settings.clone());
    for voter in [1, 2] {
        acknowledge(&mut bench, voter, Critical);
    }
    assert_eq!(level(&mut bench, Full), []);
    assert!(!says_full(&bench.stage(1, 1, 1)));
    let mut bench = Bench::with(3, settings, |_| {});
    assert_eq!(level(&mut bench, Full), []);
    assert_eq!(bench.replica.view().role, ReplicaRole::Replica);
}

#[test]
fn a_halted_replica_knows_the_level_and_does_not_count_as_one_that_comes_back() {
    let mut bench = Bench::follower(3);
    level(&mut bench, Critical);
    bench.step(Input::Corrupt);
    assert!(!bench.replica.is_parked());
    assert_eq!(level(&mut bench, Green), []);
    assert_eq!(bench.replica.disk_level(), Green);
}

/// Nothing is asked for at a moment that has passed already: the caller would never rest.
#[test]
fn a_leader_under_pressure_asks_for_attention_later() {
    for (voters, pressed) in [(1, Low), (1, Critical), (3, Low), (3, Full)] {
        let mut bench = Bench::leader(voters, Settings::default());
        level(&mut bench, pressed);
        let now = Moment::from_nanos(bench.now_ms * 1_000_000);
        let next = bench.replica.next_deadline();
        assert!(next.is_some_and(|next| next > now), "{voters} {pressed:?}");
    }
}

/// The second voter withdraws, and has nothing of what waits to be committed after that.
fn beside_one_without_room(voters: u8, settings: Settings) -> Bench {
    let mut bench = Bench::leader(voters, settings);
    acknowledge(&mut bench, 1, Critical);
    bench.produce(1, 1, 1);
    bench.persist_all();
    bench
}

/// Lets three seconds pass in which these voters go on acknowledging beats. Gives the changes of role,
/// and when the first was, in milliseconds.
fn led_on(bench: &mut Bench, heard: &[usize]) -> (Vec<TransitionSignal>, u64) {
    let epoch = bench.replica.leader_row().unwrap().epoch;
    let begun = bench.now_ms;
    for _ in 0..20 {
        for voter in heard {
            let voter = bench.ids[*voter];
            let sent_at = Moment::from_nanos(bench.now_ms * 1_000_000);
            bench.step(Input::BeatAcked {
                voter,
                epoch,
                sent_at,
            });
        }
        let found = signals(&bench.wait(150));
        if !found.is_empty() {
            return (found, bench.now_ms - begun);
        }
    }
    (Vec::new(), 3_000)
}

#[test]
fn a_leader_with_too_few_voters_that_have_room_leaves_the_election_to_others() {
    let mut bench = beside_one_without_room(5, Settings::default());
    let (signals_seen, after) = led_on(&mut bench, &[1, 2]);
    assert_eq!(signals_seen, [QuorumLost]);
    assert!((1_500..=1_650).contains(&after), "after {after} ms");
    // It would have stood by now, were it not for that.
    assert_eq!(signals(&bench.wait(800)), []);
    assert_eq!(signals(&bench.wait(10_000)), [MissedHeartbeats]);
}

/// Nothing else would wake it: those it hears acknowledge its beats, and the others are gone.
#[test]
fn a_stranded_leader_asks_for_attention_when_it_is_to_give_up() {
    let mut bench = beside_one_without_room(5, Settings::default());
    let due = Moment::from_nanos((bench.now_ms + 1_500) * 1_000_000);
    acknowledge(&mut bench, 2, Green);
    for voter in [3, 4] {
        let peer = bench.ids[voter];
        bench.step(Input::PeerLost { peer });
    }
    let epoch = bench.replica.leader_row().unwrap().epoch;
    for _ in 0..10 {
        bench.now_ms += 149;
        for voter in [bench.ids[1], bench.ids[2]] {
            let sent_at = Moment::from_nanos(bench.now_ms * 1_000_000);
            bench.step(Input::BeatAcked {
                voter,
                epoch,
                sent_at,
            });
        }
        bench.step(Input::Tick);
    }
    assert_eq!(bench.replica.next_deadline(), Some(due));
}

#[test]
fn a_leader_leads_on_where_giving_up_cannot_help() {
    let begin = |settings| beside_one_without_room(5, settings);
    // Nothing waits to be committed.
    let mut bench = Bench::leader(5, Settings::default());
    acknowledge(&mut bench, 1, Critical);
    assert_eq!(led_on(&mut bench, &[1, 2]).0, []);
    // Enough of those that are heard have room.
    assert_eq!(led_on(&mut begin(Settings::default()), &[1, 2, 3]).0, []);
    // Nobody withdraws from the channel, however full the disks are.
    let mut bench = begin(Settings {
        withdraws: false,
        ..Settings::default()
    });
    assert_eq!(led_on(&mut bench, &[1, 2]).0, []);
    // It hands over anyway.
    let mut bench = begin(Settings {
        transfer_timeout: Duration::from_secs(10),
        ..Settings::default()
    });
    let (ticket, to, forced) = (Ticket(50), Some(bench.ids[2]), false);
    bench.step(Input::Transfer { ticket, to, forced });
    assert_eq!(led_on(&mut bench, &[1, 2]).0, []);
    // Nobody could commit anything.
    let mut bench = begin(Settings::default());
    for voter in [2, 3] {
        acknowledge(&mut bench, voter, Full);
    }
    assert_eq!(led_on(&mut bench, &[1, 2]).0, []);
    // Nobody who is heard has room.
    let mut bench = beside_one_without_room(3, Settings::default());
    assert_eq!(led_on(&mut bench, &[1]).0, []);
    let next = bench.replica.next_deadline().unwrap();
    assert!(next > Moment::from_nanos(bench.now_ms * 1_000_000));
}
