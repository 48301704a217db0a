//! Who leads, what is acknowledged, and what happens to a log that is not the leader's.

use super::*;

#[test]
fn who_hears_nobody_leads_alone_once_its_epoch_is_durable() {
    let mut bench = bench(3, 1);
    stand(&mut bench);
    for voter in [1, 2] {
        lose(&mut bench, voter);
    }
    let effects = bench.wait(1);
    assert!(
        matches!(written(&effects)[..], [LogWrite::HardState(promise)]
            if promise.epoch_seen == Epoch::new(1, bench.ids[0])),
        "{effects:?}"
    );
    assert_eq!(bench.replica.view().role, ReplicaRole::Candidate);
    let effects = bench.persist_all();
    assert_eq!(signals(&effects), [TransitionSignal::ElectionWon]);
}

#[test]
fn everybody_who_is_connected_is_waited_for_but_no_longer_than_an_interval() {
    let mut one = bench(3, 1);
    stand(&mut one);
    assert_eq!(written(&answer(&mut one, 1, None, 4)), [] as [&LogWrite; 0]);
    let effects = answer(&mut one, 2, None, 0);
    let written = written(&effects);
    assert!(
        matches!(written[..], [LogWrite::HardState(promise)] if promise.epoch_seen.n == 5),
        "later than all that were heard of: {effects:?}"
    );
    let mut slow = bench(3, 1);
    stand(&mut slow);
    assert_eq!(slow.wait(HEARTBEAT_MS - 1).len(), 0);
    assert!(!slow.wait(1).is_empty());
}

#[test]
fn one_refusal_is_enough() {
    for refusal in [
        RefusalReason::LeaderAlive,
        RefusalReason::Log,
        RefusalReason::Rank,
        RefusalReason::Voted,
    ] {
        let mut bench = bench(3, 1);
        stand(&mut bench);
        let effects = answer(&mut bench, 1, Some(refusal), 0);
        assert_eq!(signals(&effects), [TransitionSignal::ElectionLost]);
    }
}

fn refusal(effects: &[Effect]) -> Option<RefusalReason> {
    let answers = sent(effects)
        .into_iter()
        .filter_map(|message| match message {
            ChannelMessage::VoteResponse(response) => Some(response.refusal),
            _ => None,
        });
    answers.last().expect("it answers")
}

#[test]
fn who_could_lead_refuses_those_that_rank_after_it() {
    let mut bench = bench(3, 1);
    bench.now_ms += 1_000;
    let origin = bench.origin();
    let equal = bench.ask(VoteKind::Pre, 1, origin);
    assert_eq!(refusal(&equal), Some(RefusalReason::Rank), "the first node");
    let mut longer = origin;
    longer.seq = Seq::new(3);
    assert_eq!(refusal(&bench.ask(VoteKind::Pre, 1, longer)), None);
    // One that has withdrawn does not.
    bench.step(Input::DiskLevel(DiskLevel::Critical));
    assert_eq!(refusal(&bench.ask(VoteKind::Pre, 1, origin)), None);
}

#[test]
fn a_vote_is_neither_given_nor_counted() {
    let mut bench = bench(3, 1);
    bench.now_ms += 1_000;
    let last = bench.origin();
    for kind in [VoteKind::Vote, VoteKind::Transfer] {
        let effects = bench.ask(kind, 7, last);
        assert_eq!((sent(&effects).len(), written(&effects).len()), (0, 0));
    }
}

#[test]
fn one_durable_copy_is_enough_if_the_channel_says_so() {
    let mut bench = leader(3, 1);
    bench.produce(7, 1, 2);
    let effects = bench.persist_all();
    assert!(
        matches!(
            replies(&effects)[..],
            [(
                7,
                ProduceOutcome::Appended {
                    copies: 1,
                    degraded: false,
                    ..
                }
            )]
        ),
        "{effects:?}"
    );
}

#[test]
fn copies_are_waited_for_and_then_done_without() {
    let mut bench = leader(3, 2);
    bench.produce(7, 1, 1);
    assert_eq!(replies(&bench.persist_all()), []);
    let tail = bench.replica.view().tail;
    let effects = bench.ack(1, tail);
    assert!(matches!(
        replies(&effects)[..],
        [(
            7,
            ProduceOutcome::Appended {
                copies: 2,
                degraded: false,
                ..
            }
        )]
    ));
    bench.produce(8, 2, 1);
    bench.persist_all();
    assert_eq!(replies(&bench.wait(249)), []);
    let effects = bench.wait(1);
    assert!(matches!(
        replies(&effects)[..],
        [(
            8,
            ProduceOutcome::Appended {
                copies: 1,
                degraded: true,
                ..
            }
        )]
    ));
}

#[test]
fn copies_that_cannot_be_had_are_not_waited_for() {
    let mut bench = leader(3, 2);
    lose(&mut bench, 1);
    lose(&mut bench, 2);
    bench.produce(7, 1, 1);
    let effects = bench.persist_all();
    assert!(matches!(
        replies(&effects)[..],
        [(
            7,
            ProduceOutcome::Appended {
                copies: 1,
                degraded: true,
                ..
            }
        )]
    ));
}

#[test]
fn a_leader_never_steps_down_for_want_of_others() {
    let mut bench = leader(3, 1);
    assert_eq!(signals(&bench.wait(60_000)), []);
    assert_eq!(bench.replica.view().role, ReplicaRole::Leader);
}

#[test]
fn of_two_leaders_the_one_of_the_earlier_epoch_follows() {
    let mut bench = leader(3, 1);
    let mine = leads_in(&bench).unwrap();
    let other = bench.ids[1];
    let (low, high) = [Epoch::new(mine.n, other), Epoch::new(mine.n + 1, other)].into();
    let effects = hear(&mut bench, low.min(Epoch::new(mine.n - 1, other)));
    assert!(
        sent(&effects).iter().any(|message| matches!(message,
            ChannelMessage::AppendNack(nack) if nack.code == NackCode::Stale)),
        "it is told: {effects:?}"
    );
    assert_eq!(bench.replica.view().role, ReplicaRole::Leader);
    let effects = hear(&mut bench, high);
    assert_eq!(signals(&effects), [TransitionSignal::PeerLeaderObserved]);
    assert_eq!(bench.replica.view().leader, Some(other));
}

/// Two epochs of one number are two epochs.
#[test]
fn leaders_of_one_number_are_told_apart() {
    let mut bench = leader(3, 1);
    let mine = leads_in(&bench).unwrap();
    for voter in [1, 2] {
        let theirs = Epoch::new(mine.n, bench.ids[voter]);
        if theirs > mine {
            assert_eq!(
                signals(&hear(&mut bench, theirs)),
                [TransitionSignal::PeerLeaderObserved]
            );
            return;
        }
        assert_eq!(signals(&hear(&mut bench, theirs)), []);
    }
}

fn told_stale(bench: &mut Bench, voter: usize, epoch: Epoch) -> Vec<Effect> {
    let nack = AppendNack {
        code: NackCode::Stale,
        tail: bench.origin(),
        history: Vec::new(),
    };
    bench.message(voter, epoch, ChannelMessage::AppendNack(nack))
}

#[test]
fn a_leader_that_is_told_of_a_dead_leaders_epoch_begins_a_later_one() {
    let mut bench = leader(3, 1);
    bench.produce(7, 1, 1);
    let dead = Epoch::new(6, bench.ids[2]);
    let effects = told_stale(&mut bench, 1, dead);
    assert_eq!(signals(&effects), []);
    assert_eq!(leads_in(&bench), Some(Epoch::new(7, bench.ids[0])));
    let batches: Vec<&Batch> = written(&effects)
        .into_iter()
        .filter_map(|write| match write {
            LogWrite::Append(batches) => Some(batches),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(
        batches.first().map(|batch| batch.kind()),
        Some(BatchKind::EpochStart)
    );
    // What was under way is answered in the new epoch.
    let effects = bench.persist_all();
    assert!(matches!(
        replies(&effects)[..],
        [(7, ProduceOutcome::Appended { .. })]
    ));
}

/// The successor that was told to stand lacks the beginning of the later epoch, and is told again when it
/// has that: until then there is nothing to be done at any time.
#[test]
fn a_handover_waits_for_what_a_later_epoch_begins_with() {
    let mut bench = leader(3, 1);
    let tail = bench.replica.view().tail;
    bench.ack(1, tail);
    let order = Input::Transfer {
        ticket: Ticket(50),
        to: Some(bench.ids[1]),
        forced: false,
    };
    let is_order = |effects: &[Effect]| {
        let sent = sent(effects);
        sent.iter()
            .any(|one| matches!(one, ChannelMessage::TransferNow(_)))
    };
    assert!(is_order(&bench.step(order)));
    let dead = Epoch::new(6, bench.ids[2]);
    told_stale(&mut bench, 1, dead);
    bench.persist_all();
    assert!(!is_order(&bench.wait(HEARTBEAT_MS)));
    let now = Moment::from_nanos(bench.now_ms * 1_000_000);
    let next = bench.replica.next_deadline();
    assert!(next.is_some_and(|at| at > now), "time would stand still");
    let tail = bench.replica.view().tail;
    assert!(is_order(&bench.ack(1, tail)));
}

#[test]
fn who_hears_the_later_leader_says_nothing_to_the_earlier() {
    let mut bench = bench(3, 1);
    let (later, earlier) = (Epoch::new(5, bench.ids[1]), Epoch::new(4, bench.ids[2]));
    hear(&mut bench, later);
    bench.persist_all();
    assert_eq!(sent(&hear(&mut bench, earlier)).len(), 0);
    bench.now_ms += 1_000;
    assert_eq!(
        sent(&hear(&mut bench, earlier)).len(),
        1,
        "nobody is heard any more"
    );
}

#[test]
fn what_is_not_the_leaders_is_sealed_and_then_cut() {
    let (mut bench, point, effects) = parted(2);
    let end = bench.replica.view().tail;
    assert_eq!(effects, [Effect::Seal { after: point }]);
    assert_eq!(bench.replica.view().commit, end.seq, "it was acknowledged");
    let result = Ok((end, None));
    let effects = bench.step(Input::Sealed {
        after: point,
        result,
    });
    assert_eq!(written(&effects), [&LogWrite::Truncate(point)]);
    assert!(effects.contains(&Effect::Diverged { point }));
    let view = bench.replica.view();
    assert_eq!((view.tail, view.commit), (point, Seq::ZERO));
    assert_eq!(view.halted, None);
}

#[test]
fn nothing_is_cut_that_was_not_sealed() {
    let (mut bench, point, _) = parted(2);
    let tail = bench.replica.view().tail;
    for result in [
        Ok((point, None)),
        Err(SealFailure::StorageFull),
        Err(SealFailure::Damaged),
        Err(SealFailure::Transient),
    ] {
        let effects = bench.step(Input::Sealed {
            after: point,
            result,
        });
        assert_eq!(written(&effects), [] as [&LogWrite; 0], "{result:?}");
        assert_eq!(bench.replica.view().tail, tail);
    }
}

#[test]
fn nothing_is_taken_while_a_fork_is_being_sealed() {
    let (mut bench, point, _) = parted(1);
    let later = Epoch::new(9, bench.ids[1]);
    let first = bench.epoch_start(9, &point);
    let effects = bench.append(9, point, 0, vec![first]);
    assert_eq!((written(&effects).len(), sent(&effects).len()), (0, 0));
    assert_eq!(bench.replica.view().epoch_seen, later);
}
