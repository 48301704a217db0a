//! Handover, linearizable reads and retention, one operation at a time.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{
    Epoch, ReplicaRole, Seq,
    frame::{AppendNack, ChannelMessage, NackCode, ProduceOutcome, RetryReason, VoteKind},
};

use crate::{
    AdminOutcome, Effect, Input, Moment, Proposal, Settings, Ticket,
    testing::{Bench, replies, sent, signals},
};

fn order(bench: &mut Bench, forced: bool) -> Vec<Effect> {
    let to = Some(bench.ids[1]);
    bench.step(Input::Transfer {
        ticket: Ticket(50),
        to,
        forced,
    })
}

fn is_order(effects: &[Effect]) -> bool {
    matches!(sent(effects)[..], [ChannelMessage::TransferNow(_)])
}

fn done(effects: &[Effect]) -> Option<&AdminOutcome> {
    effects.iter().find_map(|effect| match effect {
        Effect::AdminDone { outcome, .. } => Some(outcome),
        _ => None,
    })
}

#[test]
fn a_handover_waits_for_the_successor_and_ends_with_the_vote_for_it() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 1);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    assert!(!is_order(&order(&mut bench, false)));
    let refused = bench.stage(2, 2, 1);
    assert!(matches!(
        replies(&refused)[..],
        [(
            2,
            ProduceOutcome::Retry {
                reason: RetryReason::Draining,
                ..
            }
        )]
    ));
    let effects = bench.ack(1, tail);
    assert_eq!(replies(&effects).len(), 1);
    let orders = sent(&effects);
    assert!(
        orders
            .iter()
            .any(|m| matches!(m, ChannelMessage::TransferNow(_))),
        "{orders:?}"
    );
    let effects = bench.ask(VoteKind::Transfer, 2, tail);
    let expected = [
        TransitionSignal::GracefulRelinquish,
        TransitionSignal::CapabilitySelected,
    ];
    assert_eq!(signals(&effects), expected);
    assert_eq!(sent(&bench.persist_all()).len(), 1, "its vote");
    let start = bench.epoch_start(2, &tail);
    let effects = bench.append(2, tail, 0, vec![start]);
    assert_eq!(done(&effects), Some(&AdminOutcome::Done));
}

/// Its successor stands already: what that says of the new epoch may come before its request for the vote.
#[test]
fn a_leader_that_hears_of_its_successors_epoch_first_has_handed_over_too() {
    let mut bench = Bench::leader(3, Settings::default());
    let tail = bench.replica.view().tail;
    bench.ack(1, tail);
    assert!(is_order(&order(&mut bench, false)));
    let nack = AppendNack {
        code: NackCode::Stale,
        tail,
        history: Vec::new(),
    };
    let epoch = bench.epoch(2);
    let effects = bench.message(1, epoch, ChannelMessage::AppendNack(nack));
    let expected = [
        TransitionSignal::GracefulRelinquish,
        TransitionSignal::CapabilitySelected,
    ];
    assert_eq!(signals(&effects), expected);
    bench.persist_all();
    bench.ask(VoteKind::Transfer, 2, tail);
    let answers = bench.persist_all();
    let [ChannelMessage::VoteResponse(response)] = sent(&answers)[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(response.refusal, None);
}

/// The next epoch of somebody else, or one after the next: this leadership was taken, not given up.
#[test]
fn a_leader_that_hears_of_another_epoch_than_its_successors_was_deposed() {
    for (n, leader) in [(2, 2), (3, 1)] {
        let mut bench = Bench::leader(3, Settings::default());
        bench.ack(1, bench.replica.view().tail);
        assert!(is_order(&order(&mut bench, false)));
        let epoch = Epoch::new(n, bench.ids[leader]);
        let (commit, at) = (Seq::ZERO, Moment::from_nanos(bench.now_ms * 1_000_000));
        let effects = bench.step(Input::LeaderHeard { epoch, commit, at });
        let deposed = [TransitionSignal::PeerLeaderObserved];
        assert_eq!(signals(&effects), deposed, "epoch {n} of {leader}");
    }
}

#[test]
fn only_the_successor_that_was_ordered_gets_the_vote() {
    let mut bench = Bench::leader(3, Settings::default());
    let tail = bench.replica.view().tail;
    bench.ask(VoteKind::Transfer, 2, tail);
    assert_eq!(bench.replica.view().role, ReplicaRole::Leader);
}

#[test]
fn a_handover_that_takes_too_long_is_given_up_or_forced() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 1);
    order(&mut bench, false);
    let keep_alive = |bench: &mut Bench| {
        let epoch = bench.replica.leader_row().unwrap().epoch;
        for _ in 0..2 {
            bench.now_ms += 220;
            bench.step(Input::BeatAcked {
                voter: bench.ids[1],
                epoch,
                sent_at: Moment::from_nanos(bench.now_ms * 1_000_000),
            });
        }
    };
    keep_alive(&mut bench);
    let effects = bench.wait(10);
    assert!(matches!(done(&effects), Some(AdminOutcome::Failed(_))));
    assert_eq!(bench.replica.view().role, ReplicaRole::Leader);
    order(&mut bench, true);
    keep_alive(&mut bench);
    let effects = bench.wait(10);
    assert_eq!(done(&effects), Some(&AdminOutcome::Done));
    assert_eq!(bench.replica.view().role, ReplicaRole::Replica);
    assert_eq!(signals(&bench.wait(450)), [], "others go first");
}

#[test]
fn a_successor_stands_at_once_and_asks_for_the_vote_itself() {
    let mut bench = Bench::follower(3);
    let tail = bench.replica.view().tail;
    let order = tetrarch_wire::frame::TransferNow {
        must_have: tail.seq,
    };
    let effects = bench.message(1, bench.epoch(1), ChannelMessage::TransferNow(order));
    assert_eq!(signals(&effects), [TransitionSignal::MissedHeartbeats]);
    let effects = bench.persist_all();
    let kinds: Vec<VoteKind> = sent(&effects)
        .into_iter()
        .filter_map(|message| match message {
            ChannelMessage::VoteRequest(request) => Some(request.kind),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [VoteKind::Transfer, VoteKind::Transfer]);
}

fn read(bench: &mut Bench) -> Vec<Effect> {
    bench.step(Input::ReadIndex { ticket: Ticket(60) })
}

fn answer(effects: &[Effect]) -> Option<Seq> {
    effects.iter().find_map(|effect| match effect {
        Effect::ReadIndexReady { result, .. } => Some(result.as_ref().unwrap().1),
        _ => None,
    })
}

#[test]
fn a_read_waits_for_beats_that_were_sent_after_it() {
    let mut bench = Bench::leader(3, Settings::default());
    let commit = bench.replica.view().commit;
    let effects = read(&mut bench);
    assert_eq!(effects, [Effect::BeatNow]);
    let epoch = bench.replica.leader_row().unwrap().epoch;
    let acked = |bench: &mut Bench, ms: u64| {
        let sent_at = Moment::from_nanos(ms * 1_000_000);
        let voter = bench.ids[1];
        bench.step(Input::BeatAcked {
            voter,
            epoch,
            sent_at,
        })
    };
    let before = bench.now_ms - 1;
    assert_eq!(answer(&acked(&mut bench, before)), None);
    let after = bench.now_ms;
    assert_eq!(answer(&acked(&mut bench, after)), Some(commit));
}

#[test]
fn a_lone_leader_answers_at_once_and_a_replica_names_the_leader() {
    let mut bench = Bench::leader(1, Settings::default());
    assert_eq!(answer(&read(&mut bench)), Some(Seq::new(1)));
    let mut bench = Bench::follower(3);
    let result = Err(Some(bench.ids[1]));
    let ticket = Ticket(60);
    assert_eq!(
        read(&mut bench),
        [Effect::ReadIndexReady { ticket, result }]
    );
}

#[test]
fn only_what_every_voter_holds_is_trimmed() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 5);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    bench.ack(1, tail);
    // The third voter holds seq 1 only.
    let upto = Seq::new(6);
    bench.step(Input::Propose(Proposal::Trim { upto }));
    bench.step(Input::Flush);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    let effects = bench.ack(1, tail);
    assert!(
        effects.contains(&Effect::Trim { upto: Seq::new(1) }),
        "{effects:?}"
    );
    assert_eq!(bench.replica.retention_floor(), Seq::new(1));
}

/// The successor was told to stand, and lacks the trim point that came after that: it is told again when
/// it has it, and until then there is nothing to be done at any time.
#[test]
fn an_order_is_repeated_when_the_successor_has_what_was_written_since() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 5);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    for voter in [1, 2] {
        bench.ack(voter, tail);
    }
    let has_order = |effects: &[Effect]| {
        let sent = sent(effects);
        sent.iter()
            .any(|message| matches!(message, ChannelMessage::TransferNow(_)))
    };
    let upto = Seq::new(2);
    bench.step(Input::Propose(Proposal::Trim { upto }));
    assert!(has_order(&order(&mut bench, false)));
    bench.step(Input::Flush);
    bench.persist_all();
    assert!(bench.replica.view().tail.seq > tail.seq);
    let heartbeat = bench.replica.settings.heartbeat;
    assert!(!has_order(
        &bench.wait(u64::try_from(heartbeat.as_millis()).unwrap())
    ));
    let now = Moment::from_nanos(bench.now_ms * 1_000_000);
    let next = bench.replica.next_deadline();
    assert!(next.is_some_and(|at| at > now), "time would stand still");
    let tail = bench.replica.view().tail;
    bench.ack(2, tail);
    assert!(has_order(&bench.ack(1, tail)));
}

#[test]
fn one_trim_point_is_under_way_at_a_time() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 5);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    bench.ack(1, tail);
    bench.ack(2, tail);
    let propose = |bench: &mut Bench, upto| {
        let upto = Seq::new(upto);
        bench.step(Input::Propose(Proposal::Trim { upto }));
        bench.replica.queues().unacked_batches
    };
    // Neither what waits to become a batch is doubled, nor what waits to be committed.
    assert_eq!(propose(&mut bench, 2), 1);
    assert_eq!(propose(&mut bench, 2), 1);
    assert_eq!(propose(&mut bench, 4), 1);
    bench.step(Input::Flush);
    assert_eq!(propose(&mut bench, 4), 1);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    bench.ack(1, tail);
    assert_eq!(bench.replica.retention_floor(), Seq::new(2));
    assert_eq!(propose(&mut bench, 4), 1);
}
