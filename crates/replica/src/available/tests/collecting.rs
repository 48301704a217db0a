//! Forks are taken into the log, settled and dropped.

use super::*;

fn events(count: u32) -> EventBlock {
    let mut events = EventBlock::builder();
    for _ in 0..count {
        events
            .push(&Event::new(bytes::Bytes::from_static(b"event")))
            .unwrap();
    }
    events.finish()
}

/// Batches that another leader wrote after `base`, one for each (producer, first number, events).
fn fork_after(
    bench: &Bench,
    base: LogPosition,
    parts: &[(u8, u64, u32)],
) -> (ForkReport, Vec<Batch>) {
    let epoch = Epoch::new(3, bench.ids[2]);
    let (mut end, mut batches) = (base, Vec::new());
    for (producer, first, count) in parts {
        let producer = ProducerId::from_bytes([*producer; 16]);
        let numbers = (ProducerEpoch::new(0), ProducerSeq::new(*first));
        let draft = BatchDraft::data(producer, numbers.0, numbers.1, events(*count));
        let batch = draft.seal(&end, epoch, 0);
        end = batch.position();
        batches.push(batch);
    }
    let fork = ForkReport {
        fork: ForkId::from_bytes([9; 16]),
        base,
        end,
        events: parts.iter().map(|(.., count)| u64::from(*count)).sum(),
        bytes: 1_000,
    };
    (fork, batches)
}

fn report(bench: &mut Bench, voter: usize, fork: ForkReport) -> Vec<Effect> {
    let epoch = leads_in(bench).unwrap();
    bench.message(voter, epoch, ChannelMessage::ForkReport(fork))
}

fn asked_for(effects: &[Effect]) -> ForkPull {
    let pulls = sent(effects)
        .into_iter()
        .filter_map(|message| match message {
            ChannelMessage::ForkPull(pull) => Some(*pull),
            _ => None,
        });
    pulls.last().expect("it asks for the fork")
}

fn give(bench: &mut Bench, voter: usize, request: u64, batches: Vec<Batch>) -> Vec<Effect> {
    let epoch = leads_in(bench).unwrap();
    let chunk = ForkChunk { request, batches };
    bench.message(voter, epoch, ChannelMessage::ForkChunk(chunk))
}

fn appended(effects: &[Effect]) -> Vec<&Batch> {
    let written = written(effects).into_iter();
    let batches = written.filter_map(|write| match write {
        LogWrite::Append(batches) => Some(batches),
        _ => None,
    });
    batches.flatten().collect()
}

#[test]
fn what_of_a_fork_is_missing_is_appended_with_its_origin_and_then_it_is_settled() {
    let mut bench = leader(3, 1);
    // Producer 1 has sent its events 1 and 2 here as well.
    bench.produce(7, 1, 2);
    bench.persist_all();
    let parts = [(1, 1, 4), (0, 0, 2)];
    let (fork, batches) = fork_after(&bench, bench.origin(), &parts);
    let pull = asked_for(&report(&mut bench, 2, fork));
    assert_eq!((pull.fork, pull.from), (fork.fork, Seq::new(1)));
    let effects = give(&mut bench, 2, pull.request, batches.clone());
    let new = appended(&effects);
    assert_eq!(new.len(), 2, "{effects:?}");
    assert_eq!(new[0].header().base_producer_seq, ProducerSeq::new(3));
    let origins: Vec<_> = new
        .iter()
        .map(|batch| batch.origin().unwrap().unwrap())
        .collect();
    assert_eq!(
        origins
            .iter()
            .map(|one| one.base_seq.get())
            .collect::<Vec<_>>(),
        [3, 5]
    );
    assert!(origins.iter().all(|one| one.epoch == batches[0].epoch()));
    // Nothing more until that is durable; then the fork is settled.
    let effects = bench.persist_all();
    let effects = [effects, bench.wait(1), bench.persist_all()].concat();
    let controls: Vec<_> = appended(&effects)
        .iter()
        .filter_map(|b| b.control().unwrap())
        .collect();
    assert_eq!(controls, [Control::ForkResolved { fork: fork.fork }]);
    assert!(effects.contains(&Effect::ForkCollected {
        fork: fork.fork,
        republished: 4,
        known: 2
    }));
    // A report that was on its way begins nothing.
    assert_eq!(report(&mut bench, 2, fork), []);
}

/// The log parts from the fork's long before its base, but holds events of it: they were sent again here.
#[test]
fn a_fork_that_begins_beyond_the_log_holds_events_of_it_all_the_same() {
    let mut bench = leader(3, 1);
    bench.produce(7, 1, 2);
    bench.persist_all();
    let base = LogPosition {
        seq: Seq::new(900),
        ..bench.origin()
    };
    let (fork, batches) = fork_after(&bench, base, &[(1, 2, 3)]);
    let pull = asked_for(&report(&mut bench, 2, fork));
    let effects = give(&mut bench, 2, pull.request, batches);
    let new = appended(&effects);
    let numbers: Vec<_> = new
        .iter()
        .map(|batch| (batch.header().base_producer_seq.get(), batch.header().count))
        .collect();
    assert_eq!(numbers, [(3, 2)], "{effects:?}");
}

/// What is read of the log begins where the fork's base would be, for the second time.
#[test]
fn a_log_that_parts_from_a_fork_before_its_base_is_looked_through_once() {
    let mut bench = leader(3, 1);
    bench.replica.set_recent_bytes(0);
    bench.produce(7, 1, 1);
    bench.persist_all();
    let (_, own) = fork_after(&bench, bench.origin(), &[(8, 1, 1), (1, 1, 1)]);
    let base = LogPosition {
        seq: own[1].base_seq(),
        ..bench.origin()
    };
    let (fork, _) = fork_after(&bench, base, &[(1, 2, 3)]);
    let mut effects = report(&mut bench, 2, fork);
    let mut read = Vec::new();
    while let Some(ticket) = effects.iter().find_map(|effect| match effect {
        Effect::ReadLog { ticket, from, .. } => {
            read.push(from.get());
            Some(*ticket)
        }
        _ => None,
    }) {
        assert!(read.len() <= 3, "{read:?}");
        let index = usize::try_from(read[read.len() - 1] - 1).unwrap();
        let result = Ok(vec![own[index].clone()]);
        effects = bench.step(Input::LogRead { ticket, result });
    }
    assert_eq!(read, [2, 1, 2]);
    assert_eq!(asked_for(&effects).from, Seq::new(3));
}

#[test]
fn events_that_wait_go_before_a_fork_that_may_hold_them() {
    let mut bench = leader(3, 1);
    bench.persist_all();
    let (fork, batches) = fork_after(&bench, bench.origin(), &[(1, 1, 3)]);
    let pull = asked_for(&report(&mut bench, 2, fork));
    bench.stage(7, 1, 3);
    let effects = give(&mut bench, 2, pull.request, batches);
    let new = appended(&effects);
    assert_eq!(new.len(), 1, "{effects:?}");
    assert_eq!(new[0].origin().unwrap(), None);
}

/// The client sends again what came with the fork.
#[test]
fn what_came_with_a_fork_is_known() {
    let mut bench = leader(3, 1);
    bench.persist_all();
    let (fork, batches) = fork_after(&bench, bench.origin(), &[(1, 5, 3)]);
    let pull = asked_for(&report(&mut bench, 2, fork));
    give(&mut bench, 2, pull.request, batches);
    bench.persist_all();
    let effects = bench.produce(7, 5, 3);
    let runs = match replies(&effects)[..] {
        [(7, ProduceOutcome::Appended { runs, .. })] => runs.clone(),
        _ => panic!("{effects:?}"),
    };
    assert!(runs.iter().all(|run| run.duplicate) && runs.len() == 1);
}

#[test]
fn a_chunk_that_is_not_the_fork_is_not_taken() {
    let mut bench = leader(3, 1);
    bench.persist_all();
    let origin = bench.origin();
    let (fork, _) = fork_after(&bench, origin, &[(1, 1, 3)]);
    let (_, other) = fork_after(&bench, bench.replica.view().tail, &[(1, 1, 3)]);
    let pull = asked_for(&report(&mut bench, 2, fork));
    let effects = give(&mut bench, 2, pull.request, other);
    assert_eq!(appended(&effects).len(), 0);
    // The holder tells of it again, and after a while it begins anew.
    assert_eq!(report(&mut bench, 2, fork), []);
    bench.wait(10 * HEARTBEAT_MS);
    let again = asked_for(&report(&mut bench, 2, fork));
    assert_ne!(again.request, pull.request);
}

/// So many heartbeats pass, and the leader is heard.
fn listen(bench: &mut Bench, leader: Epoch, heartbeats: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    for _ in 0..heartbeats {
        effects.extend(bench.wait(HEARTBEAT_MS));
        effects.extend(hear(bench, leader));
    }
    effects
}

/// One that was sealed, is kept through a restart, and is told of until it is settled.
#[test]
fn a_fork_is_told_of_and_given_until_the_own_log_settles_it_durably() {
    let (mut bench, point, _) = parted(2);
    let end = bench.replica.view().tail;
    let (fork, batches) = fork_after(&bench, point, &[(1, 1, 2)]);
    let later = Epoch::new(9, bench.ids[1]);
    bench.step(Input::Sealed {
        after: point,
        result: Ok((end, Some(fork))),
    });
    bench.persist_all();
    let start = bench.epoch_start(9, &point);
    bench.append(9, point, 0, vec![start.clone()]);
    bench.persist_all();
    let reported = |effects: &[Effect]| sent(effects).contains(&&ChannelMessage::ForkReport(fork));
    let is_told = (0..5).any(|_| reported(&listen(&mut bench, later, 1)));
    assert!(is_told);
    assert!(!reported(&listen(&mut bench, later, 4)), "not all the time");
    assert!(reported(&listen(&mut bench, later, 1)), "and again");
    let pull = ForkPull {
        request: 4,
        fork: fork.fork,
        from: Seq::new(1),
        max_bytes: 1 << 20,
    };
    let effects = bench.message(1, later, ChannelMessage::ForkPull(pull));
    let [Effect::ReadFork { ticket, .. }] = effects[..] else {
        panic!("{effects:?}");
    };
    let effects = bench.step(Input::LogRead {
        ticket,
        result: Ok(batches.clone()),
    });
    let chunk = ForkChunk {
        request: 4,
        batches,
    };
    assert_eq!(sent(&effects), [&ChannelMessage::ForkChunk(chunk)]);
    let settled = Control::ForkResolved { fork: fork.fork };
    let settled = BatchDraft::control(&settled).seal(&start.position(), later, 0);
    let seq = settled.last_seq().get();
    let effects = bench.append(9, start.position(), seq, vec![settled]);
    let dropped = Effect::DropFork { fork: fork.fork };
    assert!(!effects.contains(&dropped), "it is not durable here");
    assert!(bench.persist_all().contains(&dropped));
    assert!(!reported(&listen(&mut bench, later, 10)));
}

/// The only voter of a channel, which keeps these forks and leads.
fn lone_leader(settings: Settings, forks: Vec<ForkReport>) -> (Bench, Vec<Effect>) {
    let class = ChannelClass::Available(MinCopies::new(1).unwrap());
    let mut bench = Bench::of_class(class, 1, settings, |recovered| recovered.forks = forks);
    let mut effects = stand(&mut bench);
    effects.extend(bench.wait(HEARTBEAT_MS));
    effects.extend(bench.persist_all());
    assert_eq!(bench.replica.view().role, ReplicaRole::Leader);
    (bench, effects)
}

/// What another leader wrote, as a fork of a channel with one voter.
fn foreign(parts: &[(u8, u64, u32)]) -> (ForkReport, Vec<Batch>) {
    let like = bench(3, 1);
    let class = ChannelClass::Available(MinCopies::new(1).unwrap());
    let one = Bench::of_class(class, 1, Settings::default(), |_| {});
    fork_after(&like, one.origin(), parts)
}

/// Gives the leader what it reads next of its own fork.
fn read_own(bench: &mut Bench, batches: &[Batch]) -> Vec<Effect> {
    for _ in 0..20 {
        let effects = bench.wait(HEARTBEAT_MS / 10);
        let reads = effects.iter().find_map(|effect| match effect {
            Effect::ReadFork { ticket, .. } => Some(*ticket),
            _ => None,
        });
        if let Some(ticket) = reads {
            let result = Ok(batches.to_vec());
            return bench.step(Input::LogRead { ticket, result });
        }
    }
    panic!("it does not read its fork");
}

#[test]
fn a_fork_without_events_is_dropped_at_once() {
    let (mut bench, point, _) = parted(2);
    let end = bench.replica.view().tail;
    let empty = ForkReport {
        events: 0,
        ..fork_after(&bench, point, &[(1, 1, 2)]).0
    };
    let effects = bench.step(Input::Sealed {
        after: point,
        result: Ok((end, Some(empty))),
    });
    let dropped = Effect::DropFork { fork: empty.fork };
    assert!(effects.contains(&dropped), "{effects:?}");
    assert_eq!(bench.replica.view().forks, (0, 0));
    let (_, effects) = lone_leader(Settings::default(), vec![empty]);
    assert!(effects.contains(&dropped), "found at a start: {effects:?}");
}

#[test]
fn what_was_taken_back_for_want_of_room_is_taken_from_the_fork_again() {
    let (fork, batches) = foreign(&[(1, 1, 3)]);
    let (mut bench, _) = lone_leader(Settings::default(), vec![fork]);
    let effects = read_own(&mut bench, &batches);
    assert_eq!(appended(&effects).len(), 1);
    let token = effects.iter().find_map(|effect| match effect {
        Effect::Persist { token, .. } => Some(*token),
        _ => None,
    });
    let before = bench.replica.view().tail;
    bench.step(Input::PersistFailed {
        token: token.unwrap(),
        failure: PersistFailure::StorageFull,
    });
    assert!(bench.replica.view().tail.seq < before.seq, "it is gone");
    assert_eq!(appended(&read_own(&mut bench, &batches)).len(), 1);
}

#[test]
fn a_settlement_that_was_not_written_is_written_later() {
    let (fork, batches) = foreign(&[(1, 1, 3)]);
    let (mut bench, _) = lone_leader(Settings::default(), vec![fork]);
    read_own(&mut bench, &batches);
    bench.persist_all();
    let effects = bench.wait(1);
    let [settlement] = appended(&effects)[..] else {
        panic!("one batch expected: {effects:?}");
    };
    assert_eq!(settlement.kind(), BatchKind::ForkResolved);
    let token = effects.iter().find_map(|effect| match effect {
        Effect::Persist { token, .. } => Some(*token),
        _ => None,
    });
    bench.step(Input::PersistFailed {
        token: token.unwrap(),
        failure: PersistFailure::StorageFull,
    });
    assert_eq!(appended(&read_own(&mut bench, &batches)), [] as [&Batch; 0]);
    bench.wait(1);
    let effects = bench.persist_all();
    let dropped = Effect::DropFork { fork: fork.fork };
    assert!(effects.contains(&dropped), "{effects:?}");
}

#[test]
fn a_leader_whose_disk_is_full_leaves_forks_alone() {
    let (fork, _) = foreign(&[(1, 1, 3)]);
    let (mut bench, _) = lone_leader(Settings::default(), vec![fork]);
    bench.step(Input::DiskLevel(DiskLevel::Critical));
    bench.wait(1);
    let now = Moment::from_nanos(bench.now_ms * 1_000_000);
    let next = bench.replica.next_deadline();
    assert!(next.is_none_or(|at| at > now), "time would stand still");
}

#[test]
fn no_more_of_a_fork_is_written_at_once_than_a_write_has_room_for() {
    let (fork, batches) = foreign(&[(1, 1, 3), (2, 1, 3), (3, 1, 3)]);
    let settings = Settings {
        persist_bytes: batches[0].size() + 1,
        ..Settings::default()
    };
    let (mut bench, _) = lone_leader(settings, vec![fork]);
    let mut counts = vec![appended(&read_own(&mut bench, &batches)).len()];
    for _ in 0..2 {
        bench.persist_all();
        counts.push(appended(&bench.wait(1)).len());
    }
    assert_eq!(counts, [1, 1, 1]);
}
