//! Getting back into step, one operation at a time.

use tetrarch_wire::{
    LogPosition, Seq,
    frame::{
        AppendNack, ChannelMessage, FindPoint, NackCode, PointResponse, SyncChunk, SyncClass,
        SyncNack, SyncNackCode, SyncRequest,
    },
};

use crate::{
    Effect, HaltReason, Input, LogWrite, Moment, Settings,
    testing::{Bench, sent, written},
};

fn asked(effects: &[Effect]) -> FindPoint {
    let found = sent(effects).into_iter().find_map(|message| match message {
        ChannelMessage::FindPoint(find) => Some(find.clone()),
        _ => None,
    });
    found.expect("it asks where the logs part")
}

fn pulled(effects: &[Effect]) -> SyncRequest {
    let found = sent(effects).into_iter().find_map(|message| match message {
        ChannelMessage::SyncRequest(pull) => Some(*pull),
        _ => None,
    });
    found.expect("it pulls")
}

/// A follower that missed something: its leader goes on from a position it does not hold.
fn gap(bench: &mut Bench) -> (LogPosition, Vec<Effect>) {
    let tail = bench.replica.view().tail;
    let missed = bench.noop(1, &tail, 3).position();
    let next = bench.noop(1, &missed, 1);
    (missed, bench.append(1, missed, 1, vec![next]))
}

#[test]
fn a_gap_is_refused_once_and_asked_about() {
    let mut bench = Bench::follower(3);
    let (_, effects) = gap(&mut bench);
    assert!(matches!(
        sent(&effects)[0],
        ChannelMessage::AppendNack(AppendNack {
            code: NackCode::Gap,
            ..
        })
    ));
    assert_eq!(asked(&effects).tail, bench.replica.view().tail);
    let (_, effects) = gap(&mut bench);
    assert!(sent(&effects).is_empty(), "the question is open already");
}

#[test]
fn an_answer_to_another_question_is_dropped() {
    let mut bench = Bench::follower(3);
    let (_, effects) = gap(&mut bench);
    let tail = bench.replica.view().tail;
    let mut response = PointResponse {
        request: asked(&effects).request + 1,
        point: Some(tail),
        log_start: Seq::FIRST,
    };
    let epoch = bench.epoch(1);
    assert!(
        bench
            .message(1, epoch, ChannelMessage::PointResponse(response))
            .is_empty()
    );
    response.request -= 1;
    let effects = bench.message(1, epoch, ChannelMessage::PointResponse(response));
    assert_eq!(pulled(&effects).previous, tail);
}

/// The leader is heard, and `ms` pass: how often is it asked?
fn questions(bench: &mut Bench, ms: u64) -> usize {
    let mut asked = 0;
    for _ in 0..ms / 10 {
        bench.now_ms += 10;
        let heard = Input::LeaderHeard {
            epoch: bench.epoch(1),
            commit: Seq::ZERO,
            at: Moment::from_nanos(bench.now_ms * 1_000_000),
        };
        bench.step(heard);
        let effects = bench.wait(0);
        let is_question =
            |message: &&&ChannelMessage| matches!(message, ChannelMessage::FindPoint(_));
        asked += sent(&effects).iter().filter(is_question).count();
    }
    asked
}

/// Else a leader whose disk takes longer than the first wait would never get an answer through.
#[test]
fn an_answer_is_waited_for_longer_each_time_it_does_not_come() {
    let mut bench = Bench::follower(3);
    gap(&mut bench);
    assert_eq!(questions(&mut bench, 300), 1);
    assert_eq!(questions(&mut bench, 590), 0);
    assert_eq!(questions(&mut bench, 10), 1);
    assert_eq!(questions(&mut bench, 1_190), 0);
    let effects = loop {
        bench.now_ms += 10;
        let effects = bench.wait(0);
        if !sent(&effects).is_empty() {
            break effects;
        }
    };
    let response = PointResponse {
        request: asked(&effects).request,
        point: Some(bench.replica.view().tail),
        log_start: Seq::FIRST,
    };
    let epoch = bench.epoch(1);
    bench.message(1, epoch, ChannelMessage::PointResponse(response));
    assert_eq!(questions(&mut bench, 300), 1, "an answer makes it hopeful");
}

#[test]
fn the_log_is_cut_at_the_common_point_and_pulled_from_there() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let old = bench.noop(1, &first, 3);
    bench.append(1, first, 0, vec![old]);
    bench.persist_all();
    let far = LogPosition {
        seq: Seq::new(50),
        ..first
    };
    bench.append(2, far, 0, vec![]);
    let effects = bench.persist_all();
    let find = asked(&effects);
    assert_eq!(find.history.len(), 1);
    let response = PointResponse {
        request: find.request,
        point: Some(first),
        log_start: Seq::FIRST,
    };
    let effects = bench.message(1, bench.epoch(2), ChannelMessage::PointResponse(response));
    assert_eq!(written(&effects), [&LogWrite::Truncate(first)]);
    let pull = pulled(&effects);
    assert_eq!(pull.previous, first);
    let batch = bench.epoch_start(2, &first);
    let chunk = SyncChunk {
        request: pull.request,
        log_start: Seq::FIRST,
        commit: Seq::new(2),
        at_end: true,
        batches: vec![batch.clone()],
    };
    let effects = bench.message(1, bench.epoch(2), ChannelMessage::SyncChunk(chunk));
    assert_eq!(written(&effects), [&LogWrite::Append(vec![batch])]);
    assert_eq!(bench.replica.view().commit, Seq::new(2));
    assert!(!bench.replica.view().catching_up);
}

#[test]
fn a_point_whose_link_differs_is_not_believed() {
    let mut bench = Bench::follower(3);
    let (_, effects) = gap(&mut bench);
    let tail = bench.replica.view().tail;
    let lie = LogPosition {
        link: bench.origin().link,
        ..tail
    };
    let response = PointResponse {
        request: asked(&effects).request,
        point: Some(lie),
        log_start: Seq::FIRST,
    };
    let effects = bench.message(1, bench.epoch(1), ChannelMessage::PointResponse(response));
    assert!(written(&effects).is_empty());
    assert_eq!(bench.replica.view().tail, tail);
}

#[test]
fn the_log_is_cut_to_the_own_position_whatever_epoch_the_leader_says_it_is_of() {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let old = bench.noop(1, &first, 3);
    bench.append(1, first, 0, vec![old]);
    bench.persist_all();
    let far = LogPosition {
        seq: Seq::new(50),
        ..first
    };
    bench.append(2, far, 0, vec![]);
    let lie = LogPosition {
        epoch: bench.epoch(99),
        ..first
    };
    let response = PointResponse {
        request: asked(&bench.persist_all()).request,
        point: Some(lie),
        log_start: Seq::FIRST,
    };
    let effects = bench.message(1, bench.epoch(2), ChannelMessage::PointResponse(response));
    assert_eq!(written(&effects), [&LogWrite::Truncate(first)]);
    assert_eq!(bench.replica.view().tail, first);
}

#[test]
fn what_nobody_can_prove_to_be_trimmed_is_missing() {
    let mut bench = Bench::follower(3);
    let (_, effects) = gap(&mut bench);
    let tail = bench.replica.view().tail;
    let response = PointResponse {
        request: asked(&effects).request,
        point: Some(tail),
        log_start: Seq::FIRST,
    };
    let epoch = bench.epoch(1);
    let effects = bench.message(1, epoch, ChannelMessage::PointResponse(response));
    let nack = SyncNack {
        request: pulled(&effects).request,
        code: SyncNackCode::Trimmed,
        log_start: Seq::new(100),
        retry_after_ms: 0,
    };
    let effects = bench.message(1, epoch, ChannelMessage::SyncNack(nack));
    let [ChannelMessage::SnapshotRequest(ask)] = sent(&effects)[..] else {
        panic!("{effects:?}");
    };
    let nack = SyncNack {
        request: ask.request,
        ..nack
    };
    let effects = bench.message(1, epoch, ChannelMessage::SyncNack(nack));
    let halted = HaltReason::MissingRange {
        tail: tail.seq,
        leader_log_start: Seq::new(100),
    };
    assert!(effects.contains(&Effect::Halted(halted)));
}

#[test]
fn a_lost_answer_is_asked_for_again() {
    let mut bench = Bench::follower(3);
    let (_, effects) = gap(&mut bench);
    let first = asked(&effects).request;
    let effects = bench.wait(300);
    assert!(asked(&effects).request > first);
}

fn find(bench: &mut Bench, tail: LogPosition) -> Vec<Effect> {
    let epochs = bench.replica.log.epochs().newest_first(tail.seq, 16);
    let find = FindPoint {
        request: 9,
        tail,
        history: epochs,
    };
    let epoch = bench.replica.leader_row().unwrap().epoch;
    bench.message(1, epoch, ChannelMessage::FindPoint(find))
}

#[test]
fn a_leader_names_the_point_and_serves_from_memory_after_which_it_pushes() {
    let mut bench = Bench::leader(3, Settings::default());
    let first = bench.replica.view().tail;
    bench.produce(1, 1, 2);
    let effects = find(&mut bench, first);
    let [ChannelMessage::PointResponse(answer)] = sent(&effects)[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(answer.point, Some(first));
    let pull = SyncRequest {
        request: 10,
        previous: first,
        max_bytes: 1 << 20,
        class: SyncClass::Foreground,
    };
    let epoch = bench.replica.leader_row().unwrap().epoch;
    let effects = bench.message(1, epoch, ChannelMessage::SyncRequest(pull));
    let [ChannelMessage::SyncChunk(chunk)] = sent(&effects)[..] else {
        panic!("{effects:?}");
    };
    assert_eq!((chunk.batches.len(), chunk.at_end), (1, true));
    let effects = bench.produce(2, 3, 1);
    assert_eq!(sent(&effects).len(), 2, "it is pushed to again");
}

#[test]
fn a_leader_reads_the_disk_for_what_left_its_memory_and_compares_first() {
    let settings = Settings {
        recent_bytes: 0,
        ..Settings::default()
    };
    let mut bench = Bench::leader(3, settings);
    let first = bench.replica.view().tail;
    bench.produce(1, 1, 2);
    let batch = bench.replica.log.recent().from(0).last().unwrap().clone();
    bench.persist_all();
    let tail = bench.replica.view().tail;
    bench.ack(1, tail);
    let pull = SyncRequest {
        request: 10,
        previous: first,
        max_bytes: 1 << 20,
        class: SyncClass::Foreground,
    };
    let epoch = bench.replica.leader_row().unwrap().epoch;
    let effects = bench.message(2, epoch, ChannelMessage::SyncRequest(pull));
    let [Effect::ReadLog { ticket, from, .. }] = effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(from, first.seq);
    let control = tetrarch_wire::batch::Control::EpochStart {
        observed_prev_high: Seq::ZERO,
    };
    let start = tetrarch_wire::batch::BatchDraft::control(&control);
    let start = start.seal(&bench.origin(), epoch, 1_000);
    assert_eq!(start.position(), first);
    let result = Ok(vec![start, batch.clone()]);
    let effects = bench.step(Input::LogRead { ticket, result });
    let [ChannelMessage::SyncChunk(chunk)] = sent(&effects)[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(chunk.batches, [batch]);
    assert!(!chunk.at_end);
}
