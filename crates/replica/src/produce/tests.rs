//! The write path with its deduplication, one operation at a time.

use tetrarch_wire::{
    ProducerId, ProducerSeq, Seq,
    frame::{AppendedRun, ProduceOutcome, RetryReason},
};

use crate::{
    Effect, Input, LogWrite, Settings,
    testing::{Bench, replies, request, written},
};

fn runs(effects: &[Effect], ticket: u64) -> &[AppendedRun] {
    let answers = replies(effects);
    let found = answers.iter().find_map(|(number, outcome)| match outcome {
        ProduceOutcome::Appended { runs, .. } if *number == ticket => Some(&runs[..]),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{answers:?}"))
}

fn run(first: u64, count: u32, duplicate: bool) -> AppendedRun {
    AppendedRun {
        first: Seq::new(first),
        count,
        duplicate,
    }
}

/// A leader whose every write is durable and committed at once.
fn alone() -> Bench {
    Bench::leader(1, Settings::default())
}

#[test]
fn events_of_one_producer_merge_and_those_of_two_do_not() {
    let mut bench = alone();
    for (producer, ticket, base) in [(1, 1, 1), (2, 2, 1), (1, 3, 2), (0, 4, 0), (0, 5, 0)] {
        bench.step(Input::Produce(request(producer, ticket, base, 1)));
    }
    let effects = bench.step(Input::Flush);
    let [LogWrite::Append(batches)] = written(&effects)[..] else {
        panic!("one write expected");
    };
    let made: Vec<(ProducerId, u32)> = batches
        .iter()
        .map(|batch| (batch.header().producer, batch.header().count))
        .collect();
    let producer = |byte| ProducerId::from_bytes([byte; 16]);
    assert_eq!(made, [(producer(1), 2), (producer(2), 1), (producer(0), 2)]);
    let effects = bench.persist_all();
    assert_eq!(runs(&effects, 3), [run(3, 1, false)]);
    assert_eq!(runs(&effects, 5), [run(6, 1, false)]);
}

#[test]
fn a_retry_gets_the_original_seqs_and_only_the_rest_is_appended() {
    let mut bench = alone();
    bench.produce(1, 1, 3);
    bench.persist_all();
    let effects = bench.stage(2, 1, 3);
    assert_eq!(runs(&effects, 2), [run(2, 3, true)]);
    bench.produce(3, 2, 4);
    let effects = bench.persist_all();
    assert_eq!(runs(&effects, 3), [run(3, 2, true), run(5, 2, false)]);
}

#[test]
fn a_duplicate_of_what_is_not_committed_waits_with_it() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.produce(1, 1, 2);
    assert!(replies(&bench.produce(2, 1, 2)).is_empty());
    let tail = bench.replica.view().tail;
    bench.persist_all();
    let effects = bench.ack(1, tail);
    assert_eq!(runs(&effects, 1), [run(2, 2, false)]);
    assert_eq!(runs(&effects, 2), [run(2, 2, true)]);
}

#[test]
fn a_duplicate_of_what_is_only_staged_is_judged_when_that_has_its_seqs() {
    let mut bench = alone();
    bench.stage(1, 1, 2);
    bench.stage(2, 1, 3);
    let effects = bench.step(Input::Flush);
    assert_eq!(written(&effects).len(), 1);
    let next = bench.step(Input::Flush);
    assert_eq!(written(&next).len(), 1, "the third event alone");
    let effects = bench.persist_all();
    assert_eq!(runs(&effects, 1), [run(2, 2, false)]);
    assert_eq!(runs(&effects, 2), [run(2, 2, true), run(4, 1, false)]);
}

#[test]
fn gaps_and_old_incarnations_are_refused() {
    let mut bench = alone();
    let expected = ProducerSeq::new(1);
    let effects = bench.stage(1, 2, 1);
    assert_eq!(
        replies(&effects),
        [(1, &ProduceOutcome::OutOfOrder { expected })]
    );
    let mut newer = request(1, 2, 1, 1);
    newer.producer_epoch = tetrarch_wire::ProducerEpoch::new(3);
    let current = newer.producer_epoch;
    bench.step(Input::Produce(newer));
    let effects = bench.stage(3, 1, 1);
    assert_eq!(
        replies(&effects),
        [(3, &ProduceOutcome::Fenced { current })]
    );
}

#[test]
fn a_gap_is_told_only_by_a_leader_that_a_majority_confirms() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.now_ms += 10;
    let effects = bench.stage(1, 5, 1);
    assert!(replies(&effects).is_empty(), "it may be deposed by now");
    let epoch = bench.replica.leader_row().unwrap().epoch;
    let acked = |voter, ms: u64| Input::BeatAcked {
        voter,
        epoch,
        sent_at: crate::Moment::from_nanos(ms * 1_000_000),
    };
    let (voter, asked) = (bench.ids[1], bench.now_ms);
    let early = bench.step(acked(voter, asked - 1));
    assert!(
        replies(&early).is_empty(),
        "that was said before it was asked"
    );
    let expected = ProducerSeq::new(1);
    let effects = bench.step(acked(voter, asked));
    assert_eq!(
        replies(&effects),
        [(1, &ProduceOutcome::OutOfOrder { expected })]
    );

    bench.now_ms += 1;
    bench.stage(2, 5, 1);
    let tail = bench.replica.view().tail;
    let start = bench.epoch_start(9, &tail);
    let mut effects = bench.append(9, tail, 0, vec![start]);
    effects.extend(bench.persist_all());
    assert!(matches!(
        replies(&effects)[..],
        [(2, ProduceOutcome::Retry { .. })]
    ));
}

#[test]
fn too_many_producers_are_forgotten_by_an_entry_in_the_log() {
    let settings = Settings {
        max_producers: 2,
        ..Settings::default()
    };
    let mut bench = Bench::leader(1, settings);
    for producer in 1..=3 {
        bench.step(Input::Produce(request(producer, producer.into(), 1, 1)));
        bench.step(Input::Flush);
        bench.persist_all();
    }
    bench.step(Input::Produce(request(3, 9, 2, 1)));
    bench.step(Input::Flush);
    bench.persist_all();
    let effects = bench.step(Input::Produce(request(1, 10, 2, 1)));
    let expected = ProducerSeq::new(1);
    assert_eq!(
        replies(&effects),
        [(10, &ProduceOutcome::OutOfOrder { expected })]
    );
}

#[test]
fn a_node_that_does_not_lead_says_who_does() {
    let mut bench = Bench::follower(3);
    let effects = bench.stage(1, 1, 1);
    let leader = bench.replica.node_of(bench.ids[1]);
    assert_eq!(
        replies(&effects),
        [(
            1,
            &ProduceOutcome::Retry {
                reason: RetryReason::NotLeader,
                after_ms: 0,
                leader,
            }
        )]
    );
}

#[test]
fn a_restart_knows_the_producers_again() {
    let mut bench = alone();
    bench.produce(1, 1, 3);
    bench.persist_all();
    let snapshot = bench.replica.snapshot();
    let (hard_state, tail) = (bench.replica.hard_state, bench.replica.view().tail);
    let epochs = bench.replica.log.epochs().newest_first(Seq::MAX, 16);
    let settings = Settings {
        stand_first: true,
        ..Settings::default()
    };
    let mut again = Bench::with(1, settings, |recovered| {
        recovered.hard_state = hard_state;
        recovered.tail = tail;
        recovered.epochs = epochs;
        recovered.snapshot = Some(snapshot);
    });
    again.wait(10_000);
    again.persist_all();
    let effects = again.stage(5, 3, 1);
    assert_eq!(runs(&effects, 5), [run(4, 1, true)]);
}
