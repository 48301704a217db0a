//! Class `available`, one operation at a time.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{
    Batch, BatchKind, ChannelClass, Epoch, Event, ForkId, LogPosition, MinCopies, ProducerEpoch,
    ProducerId, ProducerSeq, ReplicaRole, Seq, VoterId,
    batch::{BatchDraft, Control, EventBlock},
    frame::{
        AppendNack, ChannelMessage, DiskLevel, ForkChunk, ForkPull, ForkReport, NackCode,
        PointResponse, ProduceOutcome, RefusalReason, VoteKind, VoteResponse,
    },
};

use crate::{
    Effect, Input, LogWrite, Moment, PersistFailure, SealFailure, Settings, Ticket,
    testing::{Bench, replies, sent, signals, written},
};

mod collecting;
mod leading;

const HEARTBEAT_MS: u64 = 150;

fn bench(voters: u8, copies: u8) -> Bench {
    let class = ChannelClass::Available(MinCopies::new(copies).unwrap());
    Bench::of_class(class, voters, Settings::default(), |_| {})
}

/// Waits until the silence is noticed and this replica stands.
fn stand(bench: &mut Bench) -> Vec<Effect> {
    for _ in 0..200 {
        let effects = bench.wait(5);
        if bench.replica.view().role == ReplicaRole::Candidate {
            return effects;
        }
    }
    panic!("it does not stand");
}

/// Stands, and leads because nobody answers.
fn leader(voters: u8, copies: u8) -> Bench {
    let mut bench = bench(voters, copies);
    stand(&mut bench);
    bench.wait(HEARTBEAT_MS);
    bench.persist_all();
    assert_eq!(bench.replica.view().role, ReplicaRole::Leader);
    bench
}

fn answer(bench: &mut Bench, voter: usize, refusal: Option<RefusalReason>, n: u64) -> Vec<Effect> {
    let response = VoteResponse {
        kind: VoteKind::Pre,
        voter: bench.ids[voter],
        refusal,
        epoch_seen: Epoch::new(n, VoterId::NONE),
        last: bench.origin(),
        leader: None,
        heard: 0,
    };
    let asked = Epoch::new(1, bench.ids[0]);
    bench.message(voter, asked, ChannelMessage::VoteResponse(response))
}

fn lose(bench: &mut Bench, voter: usize) {
    let peer = bench.ids[voter];
    bench.step(Input::PeerLost { peer });
}

fn hear(bench: &mut Bench, epoch: Epoch) -> Vec<Effect> {
    let at = Moment::from_nanos(bench.now_ms * 1_000_000);
    let commit = Seq::ZERO;
    bench.step(Input::LeaderHeard { epoch, commit, at })
}

fn leads_in(bench: &Bench) -> Option<Epoch> {
    bench.replica.leader_row().map(|row| row.epoch)
}

/// A leader that wrote two events alone, hears of another, and is told where the logs part.
fn parted(events: u32) -> (Bench, LogPosition, Vec<Effect>) {
    let mut bench = leader(3, 1);
    bench.produce(7, 1, events);
    bench.persist_all();
    let later = Epoch::new(9, bench.ids[1]);
    hear(&mut bench, later);
    bench.persist_all();
    let mut effects = bench.wait(HEARTBEAT_MS);
    let request = sent(&effects)
        .into_iter()
        .find_map(|message| match message {
            ChannelMessage::FindPoint(find) => Some(find.request),
            _ => None,
        });
    let point = bench.origin();
    let response = PointResponse {
        request: request.expect("it asks where the logs part"),
        point: Some(point),
        log_start: Seq::FIRST,
    };
    effects = bench.message(1, later, ChannelMessage::PointResponse(response));
    (bench, point, effects)
}
