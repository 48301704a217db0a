//! Push, acknowledgements and commit, one operation at a time.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{
    Batch, Epoch, LogPosition, ReplicaRole, Seq, VoterId,
    batch::{BatchDraft, BatchKind, Control},
    checksum,
    frame::{
        Append, AppendAck, ChannelMessage, DiskLevel, NackCode, ProduceOutcome, SyncClass,
        SyncRequest, VoteKind, VoteRequest,
    },
};

use crate::{
    CommittedRead, Effect, Input, LogWrite, Moment, Settings,
    testing::{Bench, replies, request, sent, signals, written},
};

fn batches_of(message: &ChannelMessage) -> &[Batch] {
    match message {
        ChannelMessage::Append(append) => &append.batches,
        other => panic!("an append expected, not {other:?}"),
    }
}

fn nack_code(effects: &[Effect]) -> Option<NackCode> {
    sent(effects).into_iter().find_map(|message| match message {
        ChannelMessage::AppendNack(nack) => Some(nack.code),
        _ => None,
    })
}

fn ack(effects: &[Effect]) -> Option<AppendAck> {
    sent(effects).into_iter().find_map(|message| match message {
        ChannelMessage::AppendAck(ack) => Some(*ack),
        _ => None,
    })
}

#[test]
fn one_write_and_one_push_to_each_follower_at_the_same_time() {
    let mut bench = Bench::leader(3, Settings::default());
    let effects = bench.produce(1, 1, 3);
    let [LogWrite::Append(batches)] = written(&effects)[..] else {
        panic!("one write expected");
    };
    assert_eq!(batches.len(), 1);
    let pushed = sent(&effects);
    assert_eq!(pushed.len(), 2);
    assert!(pushed.iter().all(|message| batches_of(message) == batches));
}

#[test]
fn an_event_is_acknowledged_when_a_majority_holds_it_durably() {
    let mut bench = Bench::leader(3, Settings::default());
    let effects = bench.produce(7, 1, 1);
    assert!(replies(&effects).is_empty());
    let tail = bench.replica.view().tail;
    // One follower alone is no majority while the leader's own write is under way.
    assert!(replies(&bench.ack(1, tail)).is_empty());
    let effects = bench.persist_all();
    let [
        (
            7,
            ProduceOutcome::Appended {
                runs, copies: 2, ..
            },
        ),
    ] = replies(&effects)[..]
    else {
        panic!("{:?}", replies(&effects));
    };
    assert_eq!((runs[0].first, runs[0].count), (Seq::new(2), 1));
}

#[test]
fn two_followers_are_a_majority_without_the_leaders_disk() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(7, 1, 1);
    let tail = bench.replica.view().tail;
    bench.ack(1, tail);
    assert_eq!(replies(&bench.ack(2, tail)).len(), 1);
}

#[test]
fn an_acknowledgement_counts_only_with_this_logs_link_and_this_epoch() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(7, 1, 1);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    let mut wrong = tail;
    wrong.link = bench.origin().link;
    assert!(replies(&bench.ack(1, wrong)).is_empty());
    let stale = AppendAck {
        durable: tail.seq,
        durable_link: tail.link,
        ack_generation: 0,
        credit: 0,
        disk_level: DiskLevel::Green,
    };
    let other = Epoch::new(1, bench.ids[2]);
    let effects = bench.message(1, other, ChannelMessage::AppendAck(stale));
    assert!(replies(&effects).is_empty());
    assert_eq!(replies(&bench.ack(1, tail)).len(), 1);
}

/// Raft §5.4.2, figure 8: what an earlier epoch wrote is committed with the first batch of this
/// epoch, and never by counting alone.
#[test]
fn a_batch_of_an_earlier_epoch_is_not_committed_by_number() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let old = bench.noop(1, &first, 3);
    bench.append(1, first, 0, vec![old.clone()]);
    bench.persist_all();
    bench.wait(450);
    for kind in [VoteKind::Pre, VoteKind::Vote] {
        let vote = bench.vote(kind, 1, 2);
        bench.step(vote);
        bench.persist_all();
    }
    assert_eq!(bench.replica.view().role, ReplicaRole::Leader);
    bench.ack(1, old.position());
    bench.ack(2, old.position());
    assert_eq!(bench.replica.view().commit, Seq::ZERO);
    let start = bench.replica.view().tail;
    bench.ack(1, start);
    assert_eq!(bench.replica.view().commit, start.seq);
}

#[test]
fn an_idle_follower_is_told_the_commit_at_once_and_once() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(7, 1, 1);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    let effects = bench.ack(1, tail);
    let [ChannelMessage::Append(probe)] = sent(&effects)[..] else {
        panic!("{:?}", sent(&effects));
    };
    assert_eq!((probe.commit, probe.batches.len()), (tail.seq, 0));
    assert!(sent(&bench.ack(1, tail)).is_empty());
}

#[test]
fn batches_grow_while_the_disk_is_busy() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 1);
    bench.produce(2, 2, 1);
    for ticket in 3..10 {
        let effects = bench.produce(ticket, ticket, 1);
        assert!(written(&effects).is_empty(), "two writes are under way");
    }
    bench.persist_all();
    let effects = bench.step(Input::Flush);
    let [LogWrite::Append(batches)] = written(&effects)[..] else {
        panic!("one write expected");
    };
    assert_eq!(batches[0].header().count, 7);
}

#[test]
fn beyond_the_bounds_a_client_is_told_to_wait() {
    let settings = Settings {
        unacked_batches: 2,
        ..Settings::default()
    };
    let mut bench = Bench::leader(3, settings);
    bench.produce(1, 1, 1);
    bench.produce(2, 2, 1);
    let effects = bench.produce(3, 3, 1);
    assert!(matches!(
        replies(&effects)[..],
        [(3, ProduceOutcome::Retry { after_ms: 10, .. })]
    ));
}

#[test]
fn the_window_bounds_what_is_on_its_way_to_a_follower() {
    let settings = Settings {
        window_batches: 1,
        ..Settings::default()
    };
    let mut bench = Bench::leader(3, settings);
    assert_eq!(sent(&bench.produce(1, 1, 1)).len(), 2);
    assert_eq!(sent(&bench.produce(2, 2, 1)).len(), 0);
    bench.persist_all();
    let second = bench.replica.read_committed(Seq::new(2), 1);
    assert_eq!(second, CommittedRead::NotYet, "nothing is committed yet");
    let position = {
        let recent = bench.replica.log.recent();
        let index = recent.index_of(Seq::new(2)).unwrap();
        recent.from(index).next().unwrap().position()
    };
    let effects = bench.ack(1, position);
    assert_eq!(batches_of(sent(&effects)[0])[0].base_seq(), Seq::new(3));
}

#[test]
fn a_follower_is_sent_no_more_at_once_than_it_can_write_at_once() {
    let settings = Settings {
        frame_bytes: 1,
        ..Settings::default()
    };
    let mut bench = Bench::leader(3, settings);
    for producer in [1, 2] {
        bench.step(Input::Produce(request(producer, producer.into(), 1, 1)));
    }
    let effects = bench.step(Input::Flush);
    let sizes = sent(&effects).into_iter().map(|one| batches_of(one).len());
    assert_eq!(sizes.collect::<Vec<_>>(), [1, 1, 1, 1]);
}

#[test]
fn a_leader_without_a_majority_steps_down_before_it_acknowledges_anything() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(7, 1, 1);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    // The node was suspended; the acknowledgement had arrived meanwhile.
    bench.now_ms += 60_000;
    let effects = bench.ack(1, tail);
    assert_eq!(signals(&effects), [TransitionSignal::QuorumLost]);
    assert_eq!(replies(&effects), [(7, &ProduceOutcome::Indeterminate)]);
}

#[test]
fn beats_that_are_acknowledged_keep_a_leader_by_when_they_were_sent() {
    let mut bench = Bench::leader(3, Settings::default());
    let epoch = bench.replica.leader_row().unwrap().epoch;
    bench.now_ms += 400;
    bench.step(Input::BeatAcked {
        voter: bench.ids[1],
        epoch,
        sent_at: Moment::from_nanos((bench.now_ms - 100) * 1_000_000),
    });
    bench.wait(349);
    assert_eq!(bench.replica.view().role, ReplicaRole::Leader);
    assert_eq!(signals(&bench.wait(1)), [TransitionSignal::QuorumLost]);
}

#[test]
fn a_leader_that_was_only_not_looked_at_is_kept_by_what_was_repeated() {
    for (age_ms, signals_expected) in [(100, vec![]), (451, vec![TransitionSignal::QuorumLost])] {
        let mut bench = Bench::leader(5, Settings::default());
        let epoch = bench.replica.leader_row().unwrap().epoch;
        bench.now_ms += 10_000;
        let sent_at = Moment::from_nanos((bench.now_ms - age_ms) * 1_000_000);
        let voters = [bench.ids[1], bench.ids[2]];
        let acked = voters.map(|voter| Input::BeatAcked {
            voter,
            epoch,
            sent_at,
        });
        assert_eq!(
            signals(&bench.step_repeated(acked.into())),
            signals_expected
        );
    }
}

#[test]
fn a_higher_epoch_fences_a_leader_and_is_persisted() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(7, 1, 1);
    let previous = bench.replica.view().tail;
    let batch = bench.epoch_start(5, &previous);
    let effects = bench.append(5, previous, 0, vec![batch]);
    assert_eq!(signals(&effects), [TransitionSignal::PeerLeaderObserved]);
    assert!(matches!(
        written(&effects)[0],
        LogWrite::HardState(promise) if promise.epoch_seen == bench.epoch(5)
    ));
    assert_eq!(replies(&effects), [(7, &ProduceOutcome::Indeterminate)]);
    assert_eq!(bench.replica.view().leader, Some(bench.ids[1]));
}

#[test]
fn a_leader_of_a_lower_epoch_is_told_that_it_is_over() {
    let mut bench = Bench::follower(3);
    bench.wait(10_000);
    bench.ask(VoteKind::Vote, 3, bench.replica.view().tail);
    bench.persist_all();
    let effects = bench.append(1, bench.origin(), 0, vec![]);
    assert_eq!(nack_code(&effects), Some(NackCode::Stale));
    let effects = bench.step(Input::LeaderHeard {
        epoch: bench.epoch(1),
        commit: Seq::ZERO,
        at: Moment::from_nanos(bench.now_ms * 1_000_000),
    });
    assert_eq!(nack_code(&effects), Some(NackCode::Stale));
}

#[test]
fn a_replica_acknowledges_what_is_durable_and_nothing_earlier() {
    let mut bench = Bench::follower(3);
    let previous = bench.replica.view().tail;
    let batch = bench.noop(1, &previous, 3);
    let effects = bench.append(1, previous, 1, vec![batch.clone()]);
    assert_eq!(written(&effects), [&LogWrite::Append(vec![batch.clone()])]);
    assert_eq!(ack(&effects), None);
    assert_eq!(ack(&bench.persist_all()).unwrap().durable, Seq::new(4));
    // The same again: skipped, and acknowledged at once.
    let effects = bench.append(1, previous, 1, vec![batch]);
    assert!(written(&effects).is_empty());
    assert_eq!(ack(&effects).unwrap().durable, Seq::new(4));
}

#[test]
fn a_replica_acknowledges_only_what_was_compared_with_this_leader() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let old = bench.noop(1, &first, 3);
    bench.append(1, first, 0, vec![old]);
    bench.persist_all();
    // A new leader probes at its own, shorter, end.
    bench.append(2, first, 0, vec![]);
    let effects = bench.persist_all();
    assert_eq!(ack(&effects).unwrap().durable, first.seq);
}

#[test]
fn a_suffix_that_the_leader_does_not_have_is_cut_where_the_logs_part() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let old = bench.noop(1, &first, 3);
    bench.append(1, first, 0, vec![old]);
    bench.persist_all();
    let new = bench.epoch_start(2, &first);
    let effects = bench.append(2, first, 0, vec![new.clone()]);
    let writes = written(&effects);
    assert_eq!(
        writes[1..],
        [
            &LogWrite::Truncate(first),
            &LogWrite::Append(vec![new.clone()])
        ]
    );
    assert_eq!(bench.replica.view().tail, new.position());
}

#[test]
fn what_is_known_to_be_committed_is_never_cut() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let old = bench.noop(1, &first, 3);
    bench.append(1, first, 4, vec![old]);
    assert_eq!(bench.replica.view().commit, Seq::new(4));
    let new = bench.epoch_start(2, &first);
    let effects = bench.append(2, first, 0, vec![new]);
    assert!(
        matches!(effects.last(), Some(Effect::Halted(_))),
        "{effects:?}"
    );
    assert!(bench.replica.next_deadline().is_none());
}

#[test]
fn messages_without_the_right_to_be_sent_change_nothing_and_are_counted() {
    let mut bench = Bench::follower(3);
    let before = bench.replica.view();
    let append = tetrarch_wire::frame::Append {
        previous: before.tail,
        commit: Seq::ZERO,
        config_seq: Seq::ZERO,
        batches: vec![],
    };
    let forged = bench.epoch(9);
    let effects = bench.message(2, forged, ChannelMessage::Append(append));
    assert!(effects.is_empty());
    let prepare = tetrarch_wire::frame::TransferPrepare {
        must_have: Seq::ZERO,
    };
    bench.message(1, bench.epoch(1), ChannelMessage::TransferPrepare(prepare));
    let after = bench.replica.view();
    assert_eq!(after.refused, before.refused + 2);
    assert_eq!(after.epoch_seen, before.epoch_seen);
}

#[test]
fn a_node_that_does_not_vote_changes_nothing_whatever_it_says() {
    let outsider = VoterId::from_bytes([9; 16]);
    let epoch = Epoch::new(7, outsider);
    for mut bench in [Bench::follower(3), Bench::leader(3, Settings::default())] {
        let before = bench.replica.view();
        let append = Append {
            previous: before.tail,
            commit: Seq::new(1),
            config_seq: Seq::new(99),
            batches: Vec::new(),
        };
        let request = VoteRequest {
            kind: VoteKind::Transfer,
            candidate: outsider,
            last: before.tail,
            config_seq: Seq::new(99),
        };
        for message in [
            ChannelMessage::Append(append),
            ChannelMessage::VoteRequest(request),
        ] {
            let effects = bench.step(Input::Message {
                from: outsider,
                epoch,
                message,
            });
            assert!(effects.is_empty(), "{effects:?}");
        }
        let heard = Input::LeaderHeard {
            epoch,
            commit: Seq::new(1),
            at: Moment::from_nanos(1_000_000_000),
        };
        assert!(bench.step(heard).is_empty());
        let after = bench.replica.view();
        assert_eq!(after.refused, before.refused + 3);
        assert_eq!(
            (after.role, after.epoch_seen),
            (before.role, before.epoch_seen)
        );
    }
}

#[test]
fn a_batch_of_an_epoch_that_its_leader_does_not_lead_is_refused() {
    let mut bench = Bench::follower(3);
    let tail = bench.replica.view().tail;
    let beyond = bench.noop(2, &tail, 1);
    let effects = bench.append(1, tail, 0, vec![beyond]);
    assert!(written(&effects).is_empty(), "{effects:?}");
    assert_eq!(bench.replica.view().tail, tail);
}

#[test]
fn a_control_batch_that_nobody_here_can_read_is_not_taken() {
    let mut bench = Bench::follower(3);
    let tail = bench.replica.view().tail;
    let like = bench.noop(1, &tail, 1);
    let mut bytes: Vec<u8> = like.chunks().into_iter().flatten().copied().collect();
    bytes[5] = BatchKind::ForkRef as u8;
    let link = tail.link.extend(&bytes[..88]);
    bytes[88..104].copy_from_slice(link.as_bytes());
    let crc = checksum::crc32c(&bytes[..104]);
    bytes[104..108].copy_from_slice(&crc.to_le_bytes());
    let unread = Batch::decode_exact(bytes.into()).unwrap();
    assert!(unread.follows(&tail) && unread.control().is_err());
    let effects = bench.append(1, tail, 0, vec![unread]);
    assert!(written(&effects).is_empty(), "{effects:?}");
}

#[test]
fn the_log_is_cut_to_the_own_position_whatever_the_append_says_of_it() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let old = bench.noop(1, &first, 3);
    bench.append(1, first, 0, vec![old]);
    bench.persist_all();
    let lie = LogPosition {
        epoch: Epoch::NONE,
        ..first
    };
    let new = bench.epoch_start(2, &first);
    let effects = bench.append(2, lie, 0, vec![new]);
    assert!(written(&effects).contains(&&LogWrite::Truncate(first)));
}

#[test]
fn what_is_the_same_only_because_it_is_committed_is_not_acknowledged() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let second = bench.noop(1, &first, 1);
    let third = bench.noop(1, &second.position(), 1);
    bench.append(1, first, 3, vec![second.clone(), third]);
    bench.persist_all();
    bench.replica.set_recent_bytes(0);
    let lie = LogPosition {
        link: bench.origin().link,
        ..second.position()
    };
    bench.append(2, lie, 0, vec![]);
    assert_eq!(ack(&bench.persist_all()), None);
}

#[test]
fn a_replica_keeps_no_more_in_memory_than_it_may_however_little_is_committed() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    bench.replica.set_recent_bytes(0);
    let batch = bench.noop(1, &first, 1);
    bench.append(1, first, 0, vec![batch]);
    assert!(bench.replica.recent_bytes() > 0, "it is not durable yet");
    bench.persist_all();
    assert_eq!(bench.replica.recent_bytes(), 0);
    let mut leader = Bench::leader(3, Settings::default());
    leader.produce(1, 1, 1);
    leader.persist_all();
    leader.replica.set_recent_bytes(0);
    assert!(leader.replica.recent_bytes() > 0, "its followers need it");
    leader.wait(10_000);
    assert_eq!(leader.replica.view().role, ReplicaRole::Replica);
    assert_eq!(leader.replica.recent_bytes(), 0);
}

#[test]
fn a_trim_point_speaks_of_what_lies_before_it() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let upto = Seq::new(1_000);
    let trim = BatchDraft::control(&Control::TrimPoint { upto });
    let trim = trim.seal(&first, bench.epoch(1), 0);
    let effects = bench.append(1, first, 2, vec![trim]);
    assert!(
        effects.contains(&Effect::Trim { upto: Seq::new(1) }),
        "{effects:?}"
    );
}

#[test]
fn a_silent_follower_is_probed_each_interval_and_nothing_is_sent_twice() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 1);
    let probes = |effects: &[Effect]| {
        sent(effects)
            .iter()
            .filter(|m| batches_of(m).is_empty())
            .count()
    };
    let effects = bench.wait(150);
    assert_eq!((sent(&effects).len(), probes(&effects)), (2, 2));
    assert!(sent(&bench.wait(1)).is_empty());
}

/// A follower whose disk stands still answers each probe, and is asked again after an interval, not
/// at once.
#[test]
fn an_answer_without_progress_brings_no_other_probe_before_its_time() {
    let mut bench = Bench::leader(3, Settings::default());
    let start = bench.replica.view().tail;
    bench.ack(1, start);
    bench.produce(7, 1, 1);
    let is_probe = |message: &&ChannelMessage| matches!(message, ChannelMessage::Append(_));
    let probed = bench.wait(160);
    assert!(sent(&probed).iter().any(is_probe), "{probed:?}");
    for _ in 0..3 {
        bench.ack(1, start);
        let soon = bench.wait(1);
        assert!(!sent(&soon).iter().any(is_probe), "{soon:?}");
    }
    assert!(sent(&bench.wait(160)).iter().any(is_probe));
}

/// A question that was late is answered with what the replica has acknowledged since, and it has no
/// reason to acknowledge that once more. What it was given fills the window until it is asked.
#[test]
fn a_follower_that_was_given_what_it_holds_is_asked_where_it_stands() {
    let settings = Settings {
        window_batches: 1,
        ..Settings::default()
    };
    let mut bench = Bench::leader(3, settings);
    let before = bench.replica.view().tail;
    bench.produce(1, 1, 1);
    bench.persist_all();
    let tail = bench.replica.view().tail;
    for voter in [1, 2] {
        bench.ack(voter, tail);
        bench.ack(voter, tail);
    }
    let pull = SyncRequest {
        request: 1,
        previous: before,
        max_bytes: 1 << 20,
        class: SyncClass::Foreground,
    };
    let epoch = bench.replica.leader_row().unwrap().epoch;
    bench.message(1, epoch, ChannelMessage::SyncRequest(pull));
    let to_the_others = sent(&bench.produce(2, 2, 1)).len();
    assert_eq!(to_the_others, 1, "the window of the first one is full");
    let first = bench.ids[1];
    let asked = bench.wait(150).into_iter().any(|effect| match effect {
        Effect::Send { to, message, .. } => to == first && batches_of(&message).is_empty(),
        _ => false,
    });
    assert!(asked, "nobody would ever send it anything");
    let pushed = bench.ack(1, tail);
    assert_eq!(batches_of(sent(&pushed)[0])[0].base_seq(), tail.seq.next());
}
