//! Writes that fail, one operation at a time.

use tetrarch_wire::{
    Batch, ReplicaRole, Seq,
    frame::{ChannelMessage, NackCode, ProduceOutcome, VoteKind},
};

use crate::{
    Effect, HaltReason, Input, LogWrite, PersistFailure, PersistToken, Settings,
    testing::{Bench, replies, sent, written},
};

fn fail(bench: &mut Bench, token: u64, failure: PersistFailure) -> Vec<Effect> {
    let token = PersistToken::new(token);
    bench.step(Input::PersistFailed { token, failure })
}

fn last_token(effects: &[Effect]) -> u64 {
    let tokens = effects.iter().filter_map(|effect| match effect {
        Effect::Persist { token, .. } => Some(token.get()),
        _ => None,
    });
    tokens.last().expect("something is written")
}

#[test]
fn a_lone_leader_takes_back_what_nobody_has_seen() {
    let mut bench = Bench::leader(1, Settings::default());
    let tail = bench.replica.view().tail;
    let token = last_token(&bench.produce(7, 1, 1));
    let effects = fail(&mut bench, token, PersistFailure::StorageFull);
    assert_eq!(replies(&effects), [(7, &ProduceOutcome::StorageFull)]);
    assert_eq!(bench.replica.view().tail, tail);
    assert!(bench.replica.view().storage_full);
    // The same number is new again, once there is room.
    bench.wait(150);
    let effects = bench.produce(8, 1, 1);
    assert_eq!(written(&effects).len(), 1);
}

#[test]
fn what_was_sent_is_written_again_byte_for_byte() {
    let mut bench = Bench::leader(3, Settings::default());
    let first = bench.produce(7, 1, 1);
    let effects = fail(&mut bench, last_token(&first), PersistFailure::StorageFull);
    assert!(replies(&effects).is_empty(), "two followers may hold it");
    let refused = bench.produce(8, 2, 1);
    assert_eq!(replies(&refused), [(8, &ProduceOutcome::StorageFull)]);
    let again = bench.wait(150);
    assert_eq!(written(&again), written(&first));
}

#[test]
fn a_replica_takes_back_what_did_not_fit_and_says_so() {
    let mut bench = Bench::follower(3);
    let previous = bench.replica.view().tail;
    let batch = bench.noop(1, &previous, 1);
    let effects = bench.append(1, previous, 0, vec![batch.clone()]);
    let effects = fail(
        &mut bench,
        last_token(&effects),
        PersistFailure::StorageFull,
    );
    let pressed = |effects: &[Effect]| {
        matches!(
            sent(effects)[..],
            [ChannelMessage::AppendNack(nack)] if nack.code == NackCode::DiskPressure
        )
    };
    assert!(pressed(&effects));
    assert_eq!(bench.replica.view().tail, previous);
    assert!(pressed(&bench.append(1, previous, 0, vec![batch.clone()])));
    bench.wait(150);
    let effects = bench.append(1, previous, 0, vec![batch]);
    assert_eq!(written(&effects).len(), 1);
}

#[test]
fn a_promise_that_found_no_room_is_written_again_and_the_vote_waits_for_it() {
    let mut bench = Bench::new(3);
    let effects = bench.ask(VoteKind::Vote, 1, bench.origin());
    let effects = fail(
        &mut bench,
        last_token(&effects),
        PersistFailure::StorageFull,
    );
    assert!(sent(&effects).is_empty());
    let effects = bench.wait(150);
    assert!(matches!(written(&effects)[..], [LogWrite::HardState(_)]));
    assert_eq!(sent(&bench.persist_all()).len(), 1);
}

#[test]
fn whoever_asks_again_while_the_disk_is_busy_gets_one_answer() {
    let mut bench = Bench::new(3);
    for _ in 0..100 {
        bench.ask(VoteKind::Vote, 1, bench.origin());
        bench.ask(VoteKind::Pre, 1, bench.origin());
    }
    assert_eq!(bench.replica.queues().held, 2);
    assert_eq!(sent(&bench.persist_all()).len(), 2);
}

#[test]
fn what_is_cut_while_its_acknowledgement_waits_is_not_acknowledged() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let second = bench.noop(1, &first, 1);
    bench.append(1, first, 0, vec![second.clone()]);
    bench.persist_all();
    // A leader that names the second as its own, and then another in its place.
    let promise = last_token(&bench.append(2, second.position(), 0, vec![]));
    let other = bench.epoch_start(2, &first);
    bench.append(2, first, 0, vec![other]);
    let effects = bench.step(Input::Persisted {
        token: PersistToken::new(promise),
    });
    assert!(sent(&effects).is_empty(), "{effects:?}");
}

#[test]
fn a_lost_store_halts_the_channel() {
    let mut bench = Bench::leader(3, Settings::default());
    let token = last_token(&bench.produce(7, 1, 1));
    let effects = fail(&mut bench, token, PersistFailure::Fatal);
    assert_eq!(
        effects.last(),
        Some(&Effect::Halted(HaltReason::StoreFailed))
    );
    assert_eq!(replies(&effects), [(7, &ProduceOutcome::Indeterminate)]);
    assert_eq!(bench.replica.view().role, ReplicaRole::Idle);
    assert!(bench.ask(VoteKind::Vote, 9, bench.origin()).is_empty());
    assert_eq!(replies(&bench.stage(9, 1, 1)).len(), 1, "never silence");
}

#[test]
fn a_completion_that_comes_after_a_truncation_makes_nothing_durable() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let old = bench.noop(1, &first, 3);
    let append = last_token(&bench.append(1, first, 0, vec![old]));
    let new = bench.epoch_start(2, &first);
    bench.append(2, first, 0, vec![new.clone()]);
    bench.step(Input::Persisted {
        token: PersistToken::new(append),
    });
    assert_eq!(bench.replica.view().durable, first);
    bench.persist_all();
    assert_eq!(bench.replica.view().durable, new.position());
    assert_eq!(bench.replica.view().durable.seq, Seq::new(2));
}

#[test]
fn a_cut_within_what_then_fails_leaves_the_log_that_the_disk_has() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let kept = bench.noop(1, &first, 1);
    let cut = bench.noop(1, &kept.position(), 3);
    let append = last_token(&bench.append(1, first, 0, vec![kept.clone(), cut]));
    let new = bench.epoch_start(2, &kept.position());
    let last = last_token(&bench.append(2, kept.position(), 0, vec![new]));
    // Nothing of the first write reached the disk, so neither the cut nor what follows fits it.
    fail(&mut bench, append, PersistFailure::StorageFull);
    assert_eq!(bench.replica.view().tail, first);
    for token in append + 1..=last {
        fail(&mut bench, token, PersistFailure::StorageFull);
    }
    assert_eq!(bench.replica.view().tail, first);
}

#[test]
fn a_leader_that_steps_down_gives_up_what_its_disk_refused() {
    let mut bench = Bench::leader(3, Settings::default());
    let durable = bench.replica.view().durable;
    let first = last_token(&bench.produce(1, 1, 1));
    let second = last_token(&bench.produce(2, 2, 1));
    fail(&mut bench, first, PersistFailure::StorageFull);
    assert!(bench.replica.view().tail.seq > durable.seq, "it was sent");
    bench.wait(60_000);
    assert_eq!(bench.replica.view().role, ReplicaRole::Replica);
    assert_eq!(bench.replica.view().tail, durable);
    fail(&mut bench, second, PersistFailure::StorageFull);
    assert_eq!(bench.replica.view().tail, durable);
}

/// Its producer goes on where it was, and so does what is remembered of it, although the log goes back.
#[test]
fn what_the_others_have_committed_takes_effect_once_though_it_found_no_room() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 1);
    bench.persist_all();
    let durable = bench.replica.view().tail;
    bench.ack(1, durable);
    let refused = last_token(&bench.produce(2, 2, 1));
    let tail = bench.replica.view().tail;
    let recent = bench.replica.log.recent();
    let index = recent.index_after(durable.seq).expect("it is in memory");
    let mut again: Vec<Batch> = recent.from(index).cloned().collect();
    fail(&mut bench, refused, PersistFailure::StorageFull);
    bench.ack(1, tail);
    bench.ack(2, tail);
    assert_eq!(bench.replica.view().commit, tail.seq);
    let (_, snapshot) = bench.replica.snapshot();
    bench.append(2, durable, 0, Vec::new());
    assert_eq!(bench.replica.view().tail, durable);
    bench.wait(200);
    bench.persist_all();
    again.push(bench.epoch_start(2, &tail));
    bench.append(2, durable, tail.seq.get() + 1, again);
    let (seq, later) = bench.replica.snapshot();
    assert_eq!(seq, tail.seq.next());
    assert_eq!(later, snapshot);
}
