//! Elections, one operation at a time.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{
    Epoch, HardState, LogPosition, ReplicaRole, Seq, VoterId,
    frame::{ChannelMessage, RefusalReason, VoteKind},
    limits,
};

use crate::{
    Effect, Input, LogWrite, Moment, PersistToken, Settings,
    testing::{Bench, sent, signals, written},
};

fn refusal(effects: &[Effect]) -> Option<RefusalReason> {
    match sent(effects)[..] {
        [ChannelMessage::VoteResponse(response)] => response.refusal,
        ref other => panic!("one answer expected, not {other:?}"),
    }
}

fn promise(n: u64, voted_for: Option<VoterId>) -> LogWrite {
    LogWrite::HardState(HardState {
        epoch_seen: Epoch::new(n, VoterId::NONE),
        voted_for,
        limbo: None,
    })
}

#[test]
fn a_vote_is_persisted_before_it_is_given() {
    let mut bench = Bench::new(3);
    let effects = bench.ask(VoteKind::Vote, 1, bench.origin());
    assert_eq!(written(&effects), [&promise(1, Some(bench.ids[1]))]);
    assert!(sent(&effects).is_empty());
    let effects = bench.persist_all();
    assert_eq!(refusal(&effects), None);
}

#[test]
fn a_pre_vote_promises_nothing() {
    let mut bench = Bench::new(3);
    let effects = bench.ask(VoteKind::Pre, 1, bench.origin());
    assert!(written(&effects).is_empty());
    assert_eq!(refusal(&effects), None);
    assert_eq!(bench.replica.view().epoch_seen, Epoch::NONE);
}

#[test]
fn a_held_vote_is_dropped_when_a_higher_epoch_came_between() {
    let mut bench = Bench::new(3);
    bench.ask(VoteKind::Vote, 1, bench.origin());
    bench.ask(VoteKind::Vote, 2, bench.origin());
    let token = PersistToken::new(1);
    assert!(sent(&bench.step(Input::Persisted { token })).is_empty());
    let token = PersistToken::new(2);
    assert_eq!(sent(&bench.step(Input::Persisted { token })).len(), 1);
}

#[test]
fn one_vote_for_each_number_and_none_for_a_lower_one() {
    let mut bench = Bench::new(3);
    bench.ask(VoteKind::Vote, 2, bench.origin());
    bench.persist_all();
    let again = bench.ask(VoteKind::Vote, 2, bench.origin());
    assert!(written(&again).is_empty(), "the same promise");
    assert_eq!(refusal(&again), None);
    let lower = bench.ask(VoteKind::Vote, 1, bench.origin());
    assert_eq!(refusal(&lower), Some(RefusalReason::Stale));
}

#[test]
fn a_log_that_is_behind_gets_no_vote_but_its_epoch_is_remembered() {
    let mut bench = Bench::follower(3);
    bench.wait(10_000);
    let origin: LogPosition = bench.origin();
    let epoch = Epoch::new(7, bench.ids[2]);
    let request = tetrarch_wire::frame::VoteRequest {
        kind: VoteKind::Vote,
        candidate: bench.ids[2],
        last: origin,
        config_seq: Seq::ZERO,
    };
    let effects = bench.message(2, epoch, ChannelMessage::VoteRequest(request));
    assert_eq!(written(&effects), [&promise(7, None)]);
    let effects = bench.persist_all();
    assert_eq!(refusal(&effects), Some(RefusalReason::Log));
}

#[test]
fn while_a_leader_is_heard_only_its_handover_gets_a_vote() {
    let mut bench = Bench::follower(3);
    let tail = bench.replica.view().tail;
    let effects = bench.ask(VoteKind::Vote, 9, tail);
    assert_eq!(refusal(&effects), Some(RefusalReason::LeaderAlive));
    assert_eq!(bench.replica.view().epoch_seen.n, 1, "it disturbs nobody");
    let effects = bench.ask(VoteKind::Transfer, 9, tail);
    assert_eq!(refusal(&effects), Some(RefusalReason::LeaderAlive));
    bench.ask(VoteKind::Transfer, 2, tail);
    assert_eq!(refusal(&bench.persist_all()), None);
}

#[test]
fn an_idle_replica_that_was_never_selected_does_not_vote() {
    let mut bench = Bench::new(3);
    bench.step(Input::Close);
    let effects = bench.ask(VoteKind::Vote, 1, bench.origin());
    assert!(effects.is_empty());
}

#[test]
fn an_epoch_that_no_election_reaches_is_not_believed() {
    let mut bench = Bench::new(3);
    let beyond = limits::MAX_EPOCH + 1;
    for n in [beyond, u64::MAX] {
        assert!(bench.ask(VoteKind::Vote, n, bench.origin()).is_empty());
        let epoch = bench.epoch(n);
        let (commit, at) = (Seq::ZERO, Moment::default());
        bench.step(Input::LeaderHeard { epoch, commit, at });
        let Input::Message {
            from,
            epoch,
            message: ChannelMessage::VoteResponse(mut response),
        } = bench.vote(VoteKind::Vote, 1, 1)
        else {
            panic!("a vote is a message");
        };
        response.epoch_seen.n = n;
        let message = ChannelMessage::VoteResponse(response);
        bench.step(Input::Message {
            from,
            epoch,
            message,
        });
    }
    let view = bench.replica.view();
    assert_eq!((view.epoch_seen, view.refused), (Epoch::NONE, 6));
    bench.ask(VoteKind::Vote, limits::MAX_EPOCH, bench.origin());
    bench.persist_all();
    assert_eq!(bench.replica.view().epoch_seen.n, limits::MAX_EPOCH);
    let stands = signals(&bench.wait(10_000));
    assert_eq!(
        stands,
        [TransitionSignal::MissedHeartbeats],
        "it can still count"
    );
}

#[test]
fn it_stands_only_after_the_silence_and_its_slot() {
    let mut bench = Bench::new(3);
    assert_eq!(signals(&bench.wait(449)), []);
    // All tails are unknown: it ranks by node, and is the first.
    assert_eq!(
        signals(&bench.wait(1)),
        [TransitionSignal::MissedHeartbeats]
    );
    assert_eq!(bench.replica.view().role, ReplicaRole::Candidate);
    assert_eq!(
        bench.replica.view().epoch_seen,
        Epoch::NONE,
        "nothing is promised yet"
    );
}

#[test]
fn a_leader_that_withdraws_is_silent_at_once_and_a_lost_connection_after_one_interval() {
    let mut bench = Bench::follower(3);
    let epoch = bench.epoch(1);
    bench.step(Input::LeaderWithdrew { epoch });
    assert_eq!(
        signals(&bench.wait(0)),
        [TransitionSignal::MissedHeartbeats]
    );
    let mut bench = Bench::follower(3);
    let peer = bench.ids[1];
    bench.step(Input::PeerLost { peer });
    assert_eq!(signals(&bench.wait(149)), []);
    assert_eq!(
        signals(&bench.wait(1)),
        [TransitionSignal::MissedHeartbeats]
    );
}

#[test]
fn a_beat_resets_the_silence() {
    let mut bench = Bench::follower(3);
    bench.now_ms += 400;
    bench.step(Input::LeaderHeard {
        epoch: bench.epoch(1),
        commit: Seq::new(1),
        at: Moment::from_nanos(bench.now_ms * 1_000_000),
    });
    assert_eq!(
        bench.replica.view().commit,
        Seq::new(1),
        "which was compared"
    );
    assert_eq!(signals(&bench.wait(449)), []);
}

#[test]
fn the_own_vote_counts_when_it_is_durable() {
    let mut bench = Bench::new(3);
    bench.wait(450);
    let asked = bench.step(bench.vote(VoteKind::Pre, 1, 1));
    assert_eq!(written(&asked), [&promise(1, Some(bench.ids[0]))]);
    assert!(sent(&asked).is_empty(), "nobody is asked before it is");
    let early = bench.step(bench.vote(VoteKind::Vote, 1, 1));
    assert_eq!(signals(&early), []);
    let effects = bench.step(Input::Persisted {
        token: PersistToken::new(1),
    });
    assert_eq!(signals(&effects), [TransitionSignal::ElectionWon]);
}

#[test]
fn a_single_voter_elects_itself_and_commits_alone() {
    let mut bench = Bench::leader(1, Settings::default());
    assert_eq!(bench.replica.view().commit, Seq::new(1));
    bench.produce(5, 1, 2);
    let effects = bench.persist_all();
    assert_eq!(crate::testing::replies(&effects).len(), 1);
}

#[test]
fn a_refused_pre_vote_is_repeated_after_a_slot_with_the_number_it_was_told() {
    let mut bench = Bench::new(3);
    bench.wait(450);
    for voter in [1, 2] {
        let Input::Message {
            from,
            epoch,
            message,
        } = bench.vote(VoteKind::Pre, voter, 1)
        else {
            unreachable!()
        };
        let ChannelMessage::VoteResponse(mut response) = message else {
            unreachable!()
        };
        response.refusal = Some(RefusalReason::Stale);
        response.epoch_seen = Epoch::new(5, VoterId::NONE);
        let message = ChannelMessage::VoteResponse(response);
        bench.step(Input::Message {
            from,
            epoch,
            message,
        });
    }
    assert_eq!(bench.replica.view().role, ReplicaRole::Replica);
    assert_eq!(
        bench.replica.view().epoch_seen.n,
        0,
        "a pre-vote teaches no epoch"
    );
    let effects = bench.wait(50);
    let asked: Vec<u64> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { epoch, .. } => Some(epoch.n),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [6, 6]);
}

/// A disk may take longer for a vote than a round lasts (protocol §7).
#[test]
fn a_round_lasts_as_long_as_slow_disks_need() {
    let mut bench = Bench::new(3);
    bench.wait(10_000);
    bench.step(bench.vote(VoteKind::Pre, 1, 1));
    assert_eq!(signals(&bench.wait(3_000)), [], "its own disk");
    let asked = bench.persist_all();
    assert_eq!(sent(&asked).len(), 2, "once each: {asked:?}");
    let next = bench.step(Input::Tick);
    assert_eq!(sent(&next).len(), 0, "not at once again: {next:?}");
    assert_eq!(signals(&bench.wait(3_000)), [], "the others' disks");
    let won = bench.step(bench.vote(VoteKind::Vote, 1, 1));
    assert_eq!(signals(&won), [TransitionSignal::ElectionWon]);

    let mut bench = Bench::new(3);
    bench.wait(10_000);
    bench.step(bench.vote(VoteKind::Pre, 1, 1));
    assert_eq!(signals(&bench.wait(4_499)), []);
    let lost = bench.wait(1);
    assert_eq!(signals(&lost), [TransitionSignal::ElectionLost], "a bound");
}

#[test]
fn who_has_voted_does_not_stand_before_the_vote_can_have_counted() {
    let mut bench = Bench::new(3);
    bench.ask(VoteKind::Vote, 1, bench.origin());
    assert_eq!(signals(&bench.wait(10_000)), []);
    assert_eq!(refusal(&bench.persist_all()), None);
    assert_eq!(signals(&bench.wait(449)), []);
    let stands = [TransitionSignal::MissedHeartbeats];
    assert_eq!(signals(&bench.wait(10_000)), stands);
}

#[test]
fn an_election_under_way_is_not_disturbed_by_the_next() {
    let pre_vote = |bench: &mut Bench, voter: usize| {
        let request = tetrarch_wire::frame::VoteRequest {
            kind: VoteKind::Pre,
            candidate: bench.ids[voter],
            last: bench.origin(),
            config_seq: Seq::ZERO,
        };
        let epoch = Epoch::new(5, bench.ids[voter]);
        bench.message(voter, epoch, ChannelMessage::VoteRequest(request))
    };
    let asks = |bench: &mut Bench, voter| refusal(&pre_vote(bench, voter));
    // It has voted for the second.
    let mut bench = Bench::new(3);
    bench.ask(VoteKind::Vote, 1, bench.origin());
    bench.persist_all();
    assert_eq!(asks(&mut bench, 2), Some(RefusalReason::Voted));
    assert_eq!(asks(&mut bench, 1), None, "it knows best how that ended");
    bench.now_ms += 450;
    assert_eq!(asks(&mut bench, 2), None, "that had its time");
    // That vote is not durable yet, so it cannot have counted.
    let mut bench = Bench::new(3);
    bench.ask(VoteKind::Vote, 1, bench.origin());
    bench.now_ms += 10_000;
    pre_vote(&mut bench, 2);
    let answers = bench.persist_all();
    let [_, ChannelMessage::VoteResponse(response)] = sent(&answers)[..] else {
        panic!("the vote and this answer, not {answers:?}");
    };
    assert_eq!(response.refusal, Some(RefusalReason::Voted));
    // Whom it voted for has won, and is gone: that election is over.
    let mut bench = Bench::new(3);
    bench.ask(VoteKind::Vote, 1, bench.origin());
    bench.persist_all();
    let (epoch, peer) = (bench.epoch(1), bench.ids[1]);
    let (commit, at) = (Seq::ZERO, Moment::from_nanos(bench.now_ms * 1_000_000));
    bench.step(Input::LeaderHeard { epoch, commit, at });
    bench.persist_all();
    bench.step(Input::PeerLost { peer });
    assert_eq!(asks(&mut bench, 2), Some(RefusalReason::LeaderAlive));
    bench.now_ms += 150;
    assert_eq!(asks(&mut bench, 2), None);
    // It stands itself.
    let mut bench = Bench::new(3);
    bench.wait(10_000);
    assert_eq!(asks(&mut bench, 2), None, "that is only a question, too");
    bench.step(bench.vote(VoteKind::Pre, 1, 1));
    bench.persist_all();
    assert_eq!(asks(&mut bench, 2), Some(RefusalReason::Voted));
}
