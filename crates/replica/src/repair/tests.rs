//! Whom a replica asks for what it has lost, what it makes of the answers, and what it gives others.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{
    Batch, LogPosition, ReplicaRole, Seq,
    frame::{
        AppendNack, ChannelMessage, NackCode, PointResponse, RepairAnswer, RepairRequest,
        RepairResponse,
    },
};

use crate::{
    Effect, HaltReason, Input, LogReadFailure, LogWrite, MendOutcome, Moment, ReadTicket, Settings,
    testing::{Bench, sent, signals, written},
};

const SEGMENT: Seq = Seq::new(1);

fn damaged(bench: &mut Bench) -> Vec<Effect> {
    bench.step(Input::Damaged { segment: SEGMENT })
}

fn mended(bench: &mut Bench, outcome: MendOutcome) -> Vec<Effect> {
    let segment = SEGMENT;
    bench.step(Input::Mended { segment, outcome })
}

fn lacks(after: u64) -> MendOutcome {
    MendOutcome::Lacks {
        after: Seq::new(after),
        upto: Seq::new(9),
    }
}

/// The batches that the store is to try with; `None` if it is not to.
fn tried(effects: &[Effect]) -> Option<usize> {
    effects.iter().find_map(|effect| match effect {
        Effect::Mend { segment, batches } => {
            assert_eq!(*segment, SEGMENT);
            Some(batches.len())
        }
        _ => None,
    })
}

/// Who is asked, by the bench's number, and the question.
fn asked(bench: &Bench, effects: &[Effect]) -> Option<(usize, RepairRequest)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send {
            to,
            message: ChannelMessage::RepairRequest(request),
            ..
        } => {
            let number = bench.ids.iter().position(|id| id == to)?;
            Some((number, request.clone()))
        }
        _ => None,
    })
}

fn answer(bench: &mut Bench, voter: usize, request: u64, batches: Vec<Batch>) -> Vec<Effect> {
    let response = RepairResponse {
        request,
        answers: vec![RepairAnswer::Have],
        batches,
    };
    let epoch = bench.replica.view().epoch_seen;
    bench.message(voter, epoch, ChannelMessage::RepairResponse(response))
}

#[test]
fn what_a_segment_lacks_is_fetched_place_by_place_while_the_channel_goes_on() {
    let mut bench = Bench::leader(3, Settings::default());
    assert_eq!(tried(&damaged(&mut bench)), Some(0));
    assert_eq!(tried(&damaged(&mut bench)), None, "one after the other");
    for after in [3, 5] {
        let effects = mended(&mut bench, lacks(after));
        let (voter, question) = asked(&bench, &effects).expect("somebody is asked");
        let range = (Seq::new(after + 1), Seq::new(9), None);
        assert_eq!(question.ranges, [range]);
        let batch = bench.epoch_start(1, &bench.origin());
        let effects = answer(&mut bench, voter, question.request, vec![batch]);
        assert_eq!(tried(&effects), Some(1));
    }
    assert!(
        bench.replica.leader_row().is_some(),
        "it leads all the time"
    );
    mended(&mut bench, MendOutcome::Done);
    assert_eq!(bench.replica.repairing(), None);
    assert_eq!(tried(&damaged(&mut bench)), Some(0), "the next one");
}

#[test]
fn everybody_is_asked_and_then_asked_again_after_pauses_that_grow() {
    let mut bench = Bench::follower(3);
    damaged(&mut bench);
    let effects = mended(&mut bench, lacks(3));
    let (first, question) = asked(&bench, &effects).unwrap();
    // An answer to another question, or of somebody else, is none.
    let batch = bench.epoch_start(1, &bench.origin());
    for (voter, request) in [(first, question.request + 7), (3 - first, question.request)] {
        let effects = answer(&mut bench, voter, request, vec![batch.clone()]);
        assert_eq!(tried(&effects), None);
    }
    // It does not have it.
    let effects = answer(&mut bench, first, question.request, Vec::new());
    let (second, _) = asked(&bench, &effects).expect("the next one is asked");
    assert_ne!(first, second);
    let mut pauses = Vec::new();
    let mut since = bench.now_ms;
    while pauses.len() < 5 {
        // Nobody answers.
        let deadline = bench.replica.repair_deadline().expect("it goes on");
        bench.now_ms = deadline.as_nanos() / 1_000_000;
        let effects = bench.step(Input::Tick);
        if let Some((voter, _)) = asked(&bench, &effects)
            && voter == first
        {
            pauses.push(bench.now_ms - since);
            since = bench.now_ms;
        }
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!(pauses[4] > 4 * pauses[0], "{pauses:?}");
}

#[test]
fn another_history_and_a_disk_that_refuses_are_tried_again_from_the_beginning() {
    for outcome in [MendOutcome::Contradicted, MendOutcome::Failed] {
        let mut bench = Bench::follower(3);
        damaged(&mut bench);
        let effects = mended(&mut bench, lacks(3));
        let (voter, question) = asked(&bench, &effects).unwrap();
        let batch = bench.epoch_start(1, &bench.origin());
        answer(&mut bench, voter, question.request, vec![batch]);
        let mut effects = mended(&mut bench, outcome);
        if let Some(deadline) = bench.replica.repair_deadline() {
            bench.now_ms = deadline.as_nanos() / 1_000_000;
            effects.extend(bench.step(Input::Tick));
        }
        assert_eq!(tried(&effects), Some(0), "{outcome:?}");
        let effects = mended(&mut bench, lacks(3));
        let (next, _) = asked(&bench, &effects).unwrap();
        assert_ne!(next, voter, "{outcome:?}");
    }
}

#[test]
fn a_lone_voter_has_nobody_to_ask() {
    let mut bench = Bench::leader(1, Settings::default());
    damaged(&mut bench);
    assert_eq!(bench.replica.view().halted, Some(HaltReason::Corrupt));
}

#[test]
fn a_halted_replica_mends_and_helps_others() {
    let mut bench = Bench::with(3, Settings::default(), |recovered| recovered.damaged = true);
    assert_eq!(bench.replica.view().role, ReplicaRole::Idle);
    damaged(&mut bench);
    let effects = mended(&mut bench, lacks(0));
    let (voter, question) = asked(&bench, &effects).unwrap();
    assert!(bench.replica.next_deadline().is_some(), "it asks again");
    let batch = bench.epoch_start(1, &bench.origin());
    let effects = answer(&mut bench, voter, question.request, vec![batch]);
    assert_eq!(tried(&effects), Some(1));
    assert!(!serve(&mut bench, 1).is_empty());
    mended(&mut bench, MendOutcome::Done);
    assert_eq!(bench.replica.next_deadline(), None);
}

/// A voter asks for the first batch, and it is read: what it is sent.
fn serve(bench: &mut Bench, voter: usize) -> Vec<Batch> {
    let first = bench.epoch_start(1, &bench.origin());
    let (ticket, effects) = ask_for(bench, voter);
    assert!(sent(&effects).is_empty());
    let effects = bench.step(Input::LogRead {
        ticket,
        result: Ok(vec![first]),
    });
    match sent(&effects)[..] {
        [ChannelMessage::RepairResponse(response)] => response.batches.clone(),
        _ => panic!("{effects:?}"),
    }
}

fn ask_for(bench: &mut Bench, voter: usize) -> (ReadTicket, Vec<Effect>) {
    let request = RepairRequest {
        request: 1,
        ranges: vec![(Seq::new(1), Seq::new(1), None)],
    };
    let epoch = bench.replica.view().epoch_seen;
    let effects = bench.message(voter, epoch, ChannelMessage::RepairRequest(request));
    let ticket = effects.iter().find_map(|effect| match effect {
        Effect::ReadLog { ticket, .. } => Some(*ticket),
        _ => None,
    });
    (ticket.expect("it reads"), effects)
}

#[test]
fn whoever_has_it_gives_it_in_any_role() {
    let mut leader = Bench::leader(3, Settings::default());
    let mut follower = Bench::follower(3);
    for bench in [&mut leader, &mut follower] {
        assert_eq!(serve(bench, 1).len(), 1);
        let (ticket, _) = ask_for(bench, 2);
        let effects = bench.step(Input::LogRead {
            ticket,
            result: Err(LogReadFailure::Damaged),
        });
        let [ChannelMessage::RepairResponse(response)] = sent(&effects)[..] else {
            panic!("{effects:?}");
        };
        assert_eq!(response.answers, [RepairAnswer::Unknown]);
        assert!(response.batches.is_empty());
        assert!(signals(&effects).is_empty(), "nothing else comes of it");
    }
}

/// What it let go of may have been committed with its copy.
#[test]
fn whoever_has_let_go_of_the_channel_does_not_say_that_it_never_had_it() {
    let mut bench = Bench::with(3, Settings::default(), |recovered| {
        recovered.hard_state.epoch_seen.n = 1;
        recovered.reached.epoch.n = 1;
        recovered.reached.seq = Seq::new(5);
    });
    let other = bench.noop(1, &bench.origin(), 2);
    for result in [Err(LogReadFailure::BeyondTail), Ok(vec![other])] {
        let (ticket, _) = ask_for(&mut bench, 2);
        let effects = bench.step(Input::LogRead { ticket, result });
        let [ChannelMessage::RepairResponse(response)] = sent(&effects)[..] else {
            panic!("{effects:?}");
        };
        assert_eq!(response.answers, [RepairAnswer::Unknown]);
        assert!(response.batches.is_empty());
    }
}

/// Its own batch there goes further: no batch of its log ends where the other's must.
#[test]
fn whoever_holds_another_batch_there_does_not_have_it() {
    let mut bench = Bench::follower(3);
    let (ticket, _) = ask_for(&mut bench, 2);
    let other = bench.noop(1, &bench.origin(), 2);
    let effects = bench.step(Input::LogRead {
        ticket,
        result: Ok(vec![other]),
    });
    let [ChannelMessage::RepairResponse(response)] = sent(&effects)[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(response.answers, [RepairAnswer::Never]);
    assert!(response.batches.is_empty());
}

/// Whoever leads with a hole that nobody can fill leads nobody any further.
#[test]
fn what_too_few_voters_have_was_never_committed_and_halts_the_replica() {
    let mut bench = Bench::leader(3, Settings::default());
    damaged(&mut bench);
    let mut effects = mended(&mut bench, lacks(3));
    for asked_before in 0..2 {
        assert_eq!(
            bench.replica.view().halted,
            None,
            "{asked_before} have said no"
        );
        let (voter, question) = asked(&bench, &effects).expect("the next one is asked");
        let response = RepairResponse {
            request: question.request,
            answers: vec![RepairAnswer::Never],
            batches: Vec::new(),
        };
        let epoch = bench.replica.view().epoch_seen;
        effects = bench.message(voter, epoch, ChannelMessage::RepairResponse(response));
    }
    assert_eq!(bench.replica.view().halted, Some(HaltReason::Corrupt));
    assert_eq!(bench.replica.view().role, ReplicaRole::Idle);
    assert!(bench.replica.repairing().is_some(), "it goes on asking");
}

/// Both others have what lies before, and another end: that is told from progress.
#[test]
fn getting_as_far_as_before_is_no_progress() {
    let mut bench = Bench::follower(3);
    damaged(&mut bench);
    let mut rounds = 0;
    let mut effects = mended(&mut bench, lacks(3));
    while bench.replica.view().halted.is_none() {
        rounds += 1;
        assert!(rounds < 10, "it goes on for ever");
        for outcome in [lacks(5), MendOutcome::Contradicted] {
            let (voter, question) = asked(&bench, &effects).expect("somebody is asked");
            let batch = bench.epoch_start(1, &bench.origin());
            answer(&mut bench, voter, question.request, vec![batch]);
            effects = mended(&mut bench, outcome);
        }
        if tried(&effects).is_none() {
            let deadline = bench.replica.repair_deadline().expect("after a pause");
            bench.now_ms = deadline.as_nanos() / 1_000_000;
            effects = bench.step(Input::Tick);
        }
        assert_eq!(tried(&effects), Some(0), "from the beginning");
        effects = mended(&mut bench, lacks(3));
    }
    assert_eq!(bench.replica.view().halted, Some(HaltReason::Corrupt));
}

/// What the store got before its disk refused is forgotten: who gave that has no part in what comes after.
#[test]
fn what_was_given_before_a_failure_is_held_against_nobody() {
    let mut bench = Bench::follower(3);
    damaged(&mut bench);
    let batch = bench.epoch_start(1, &bench.origin());
    let mut asked_so_far = Vec::new();
    for outcome in [MendOutcome::Failed, MendOutcome::Contradicted] {
        let effects = mended(&mut bench, lacks(3));
        let (voter, question) = asked(&bench, &effects).unwrap();
        answer(&mut bench, voter, question.request, vec![batch.clone()]);
        mended(&mut bench, outcome);
        let deadline = bench.replica.repair_deadline().expect("after a pause");
        bench.now_ms = deadline.as_nanos() / 1_000_000;
        assert_eq!(tried(&bench.step(Input::Tick)), Some(0));
        asked_so_far.push(voter);
    }
    assert_ne!(asked_so_far[0], asked_so_far[1]);
    let effects = mended(&mut bench, lacks(3));
    // All of what contradicted was the second one's, so it is not asked for all of it again.
    assert_eq!(asked(&bench, &effects).unwrap().0, asked_so_far[0]);
}

/// Batches that lead no further do not mean that a voter does not have what is lacking.
#[test]
fn who_gave_nothing_of_use_may_have_it_all_the_same() {
    let mut bench = Bench::leader(3, Settings::default());
    damaged(&mut bench);
    let batch = bench.epoch_start(1, &bench.origin());
    let mut effects = mended(&mut bench, lacks(3));
    let mut asked_so_far = Vec::new();
    while let Some((voter, question)) = asked(&bench, &effects) {
        asked_so_far.push(voter);
        answer(&mut bench, voter, question.request, vec![batch.clone()]);
        effects = mended(&mut bench, lacks(3));
    }
    asked_so_far.sort_unstable();
    assert_eq!(asked_so_far, [1, 2]);
    assert_eq!(bench.replica.view().halted, None);
}

/// A voter with a suffix that was never committed gives the beginning of it and has no more. What another
/// one has contradicts that: this says nothing of the own log.
#[test]
fn who_contradicts_what_another_gave_is_asked_for_all_of_it() {
    let mut bench = Bench::leader(3, Settings::default());
    damaged(&mut bench);
    let effects = mended(&mut bench, lacks(3));
    let (wrong, question) = asked(&bench, &effects).unwrap();
    let batch = bench.epoch_start(1, &bench.origin());
    answer(&mut bench, wrong, question.request, vec![batch.clone()]);
    let effects = mended(&mut bench, lacks(5));
    let (again, question) = asked(&bench, &effects).unwrap();
    assert_eq!(again, wrong, "who had something may have more");
    let response = RepairResponse {
        request: question.request,
        answers: vec![RepairAnswer::Never],
        batches: Vec::new(),
    };
    let epoch = bench.replica.view().epoch_seen;
    let effects = bench.message(wrong, epoch, ChannelMessage::RepairResponse(response));
    let (right, question) = asked(&bench, &effects).unwrap();
    assert_ne!(right, wrong);
    answer(&mut bench, right, question.request, vec![batch]);
    mended(&mut bench, MendOutcome::Contradicted);
    assert_eq!(bench.replica.view().halted, None);
    let deadline = bench.replica.repair_deadline().expect("it goes on");
    bench.now_ms = deadline.as_nanos() / 1_000_000;
    let effects = bench.step(Input::Tick);
    assert_eq!(tried(&effects), Some(0), "from the beginning");
    let effects = mended(&mut bench, lacks(3));
    assert_eq!(asked(&bench, &effects).unwrap().0, right);
}

/// Its disk took longer to read than an answer is waited for.
#[test]
fn what_is_given_late_is_taken() {
    let mut bench = Bench::follower(3);
    damaged(&mut bench);
    let effects = mended(&mut bench, lacks(3));
    let (first, question) = asked(&bench, &effects).unwrap();
    let batch = bench.epoch_start(1, &bench.origin());
    let waits = |bench: &Bench| bench.replica.repair_deadline().unwrap().as_nanos() / 1_000_000;
    // The other one is asked, and then there is a pause.
    for _ in 0..2 {
        bench.now_ms = waits(&bench);
        bench.step(Input::Tick);
    }
    assert!(!bench.replica.is_repair_active(), "it rests");
    let effects = answer(&mut bench, first, question.request, Vec::new());
    assert_eq!(effects, [], "that it has nothing was to be said in time");
    let effects = answer(&mut bench, first, question.request, vec![batch.clone()]);
    assert_eq!(tried(&effects), Some(1));
    // It lacks something else by now: the same answer once more is none.
    mended(&mut bench, lacks(5));
    let effects = answer(&mut bench, first, question.request, vec![batch]);
    assert_eq!(tried(&effects), None);
}

#[test]
fn a_leader_that_cannot_read_what_others_need_gives_up() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    let hear = |bench: &mut Bench| {
        let epoch = bench.replica.leader_row()?.epoch;
        let (voter, at) = (bench.ids[1], bench.now_ms * 1_000_000);
        let sent_at = Moment::from_nanos(at);
        bench.step(Input::BeatAcked {
            voter,
            epoch,
            sent_at,
        });
        Some(())
    };
    let lead_on = |bench: &mut Bench| {
        let mut all = Vec::new();
        for _ in 0..12 {
            if hear(bench).is_some() {
                all.extend(signals(&bench.wait(150)));
            }
        }
        all
    };
    damaged(&mut bench);
    assert_eq!(lead_on(&mut bench), [], "everything is committed");
    bench.produce(1, 1, 1);
    bench.persist_all();
    assert_eq!(lead_on(&mut bench), [], "everybody is pushed to");
    let nack = AppendNack {
        code: NackCode::Gap,
        tail: bench.origin(),
        history: Vec::new(),
    };
    let epoch = bench.replica.leader_row().unwrap().epoch;
    bench.message(1, epoch, ChannelMessage::AppendNack(nack));
    let expected = [
        TransitionSignal::GracefulRelinquish,
        TransitionSignal::CapabilitySelected,
    ];
    assert_eq!(lead_on(&mut bench), expected);
    // Nobody else hears it now: others stand first.
    assert_eq!(signals(&bench.wait(450)), []);
}

fn never(bench: &mut Bench, voter: usize, request: u64) -> Vec<Effect> {
    let response = RepairResponse {
        request,
        answers: vec![RepairAnswer::Never],
        batches: Vec::new(),
    };
    let epoch = bench.replica.view().epoch_seen;
    bench.message(voter, epoch, ChannelMessage::RepairResponse(response))
}

/// A follower whose log ends with what only it has.
fn with_a_suffix() -> Bench {
    let mut bench = Bench::follower(3);
    let first = bench.replica.view().tail;
    let suffix = bench.noop(1, &first, 3);
    bench.append(1, first, 0, vec![suffix]);
    bench.persist_all();
    bench
}

/// The next leader does not have the suffix: it is cut, which is not durable yet.
fn cut(bench: &mut Bench) {
    let far = LogPosition {
        seq: Seq::new(50),
        ..bench.origin()
    };
    let epoch = bench.epoch(2);
    bench.append(2, far, 0, vec![]);
    let effects = bench.persist_all();
    let request = sent(&effects)
        .into_iter()
        .find_map(|message| match message {
            ChannelMessage::FindPoint(find) => Some(find.request),
            _ => None,
        });
    let first = bench.epoch_start(1, &bench.origin()).position();
    let response = PointResponse {
        request: request.expect("it asks where the logs part"),
        point: Some(first),
        log_start: Seq::FIRST,
    };
    let effects = bench.message(1, epoch, ChannelMessage::PointResponse(response));
    assert!(written(&effects).contains(&&LogWrite::Truncate(first)));
}

/// When the pause is over.
fn rested(bench: &mut Bench) -> Vec<Effect> {
    let deadline = bench.replica.repair_deadline().expect("after a pause");
    bench.now_ms = deadline.as_nanos() / 1_000_000;
    bench.step(Input::Tick)
}

/// Nobody has what the log itself does not hold any more, and nobody need have it.
#[test]
fn what_was_cut_off_while_others_were_asked_for_it_does_not_halt_the_replica() {
    let mut bench = with_a_suffix();
    damaged(&mut bench);
    let effects = mended(&mut bench, lacks(3));
    let (first, question) = asked(&bench, &effects).unwrap();
    let effects = never(&mut bench, first, question.request);
    let (second, question) = asked(&bench, &effects).unwrap();
    cut(&mut bench);
    let effects = never(&mut bench, second, question.request);
    assert_eq!(bench.replica.view().halted, None);
    assert_eq!(tried(&effects), None, "the store does not know of the cut");
    assert_eq!(tried(&rested(&mut bench)), None, "nor does it now");
    bench.persist_all();
    assert_eq!(tried(&rested(&mut bench)), Some(0), "now it does");
    // What is lacking all the same is asked for as ever.
    let effects = mended(&mut bench, lacks(0));
    let (voter, question) = asked(&bench, &effects).unwrap();
    let effects = never(&mut bench, voter, question.request);
    assert_eq!(bench.replica.view().halted, None, "one has said no");
    let (voter, question) = asked(&bench, &effects).unwrap();
    never(&mut bench, voter, question.request);
    assert_eq!(bench.replica.view().halted, Some(HaltReason::Corrupt));
}

#[test]
fn what_the_store_said_before_a_cut_is_asked_of_nobody() {
    let mut under_way = with_a_suffix();
    damaged(&mut under_way);
    cut(&mut under_way);
    let mut begun_after_it = with_a_suffix();
    cut(&mut begun_after_it);
    damaged(&mut begun_after_it);
    for bench in [&mut under_way, &mut begun_after_it] {
        let effects = mended(bench, lacks(3));
        assert_eq!(asked(bench, &effects), None);
        bench.persist_all();
        assert_eq!(tried(&rested(bench)), Some(0));
        mended(bench, MendOutcome::Done);
        assert_eq!(bench.replica.repairing(), None);
    }
}
