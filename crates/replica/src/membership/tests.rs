//! A change of voters, one step at a time, seen from the leader, from a learner and from a voter.

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{
    ChannelConfig, Epoch, LogPosition, NodeId, ReplicaRole, Seq, StoreId, Voter, VoterId,
    batch::Control,
    frame::{
        Append, AppendAck, ChannelMessage, DiskLevel, PointResponse, RefusalReason, VoteKind,
        VoteRequest,
    },
};

use super::ReplicaSet;
use crate::{
    Effect, Input, LogWrite, Moment, Now, Proposal, Recovered, Replica, Settings,
    testing::{Bench, sent, signals, written},
};

const HEARTBEAT_MS: u64 = 150;

fn voter(byte: u8) -> Voter {
    Voter {
        node: NodeId::from_bytes([byte; 16]),
        store: StoreId::from_bytes([byte; 16]),
    }
}

/// The set of a channel whose genesis is that of the bench, after each of these was wanted.
fn wanted(bench: &Bench, wishes: &[&[u8]]) -> ReplicaSet {
    let mut set = ReplicaSet::genesis(&bench.genesis);
    for nodes in wishes {
        let voters = nodes.iter().map(|byte| voter(*byte)).collect();
        let config = ChannelConfig::genesis(bench.genesis.class, voters).unwrap();
        assert_eq!(set.want(&config), Ok(()));
    }
    set
}

/// The voters of a configuration that is written, and which wish it carries out.
fn configured(effects: &[Effect]) -> Option<(Vec<VoterId>, u64)> {
    let batches = written(effects).into_iter().find_map(|write| match write {
        LogWrite::Append(batches) => Some(batches),
        _ => None,
    });
    batches?
        .iter()
        .find_map(|batch| match batch.control().unwrap() {
            Some(Control::Config(config)) => Some((config.voter_ids().to_vec(), config.version)),
            _ => None,
        })
}

fn ids(nodes: &[u8]) -> Vec<VoterId> {
    let mut ids: Vec<VoterId> = nodes.iter().map(|byte| voter(*byte).id()).collect();
    ids.sort_unstable();
    ids
}

fn reported(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::Placed { version } => Some(*version),
        _ => None,
    })
}

/// Whether the leader replicates to that node.
fn follows(bench: &Bench, byte: u8) -> bool {
    let mut followers = bench.replica.followers();
    followers.any(|one| one.voter == voter(byte).id())
}

/// A node acknowledges a beat, and what it holds.
fn ack(bench: &mut Bench, byte: u8, position: LogPosition) -> Vec<Effect> {
    let epoch = bench.replica.leader_row().unwrap().epoch;
    let node = voter(byte).id();
    bench.step(Input::BeatAcked {
        voter: node,
        epoch,
        sent_at: Moment::from_nanos(bench.now_ms * 1_000_000),
    });
    bench.ack_from(node, position)
}

/// The wanted nodes acknowledge everything, the leader's disk too.
fn commit_all(bench: &mut Bench, nodes: &[u8]) -> Vec<Effect> {
    let mut effects = bench.persist_all();
    let tail = bench.replica.view().tail;
    for byte in nodes {
        effects.extend(ack(bench, *byte, tail));
    }
    assert_eq!(bench.replica.view().commit, tail.seq);
    effects
}

#[test]
fn a_learner_is_replicated_to_counts_for_nothing_and_votes_once_it_has_caught_up() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    let set = wanted(&bench, &[&[1, 2, 3, 4]]);
    assert_eq!(configured(&bench.step(Input::Placed(set))), None);
    assert!(follows(&bench, 4));
    // Its acknowledgement is none of a majority.
    bench.produce(7, 1, 1);
    let tail = bench.replica.view().tail;
    ack(&mut bench, 4, tail);
    bench.persist_all();
    assert!(bench.replica.view().commit < tail.seq);
    commit_all(&mut bench, &[2, 3, 4]);
    let added = (ids(&[1, 2, 3, 4]), 1);
    assert_eq!(configured(&bench.wait(HEARTBEAT_MS)), Some(added));
    // It is in force before it is committed: of four voters three are needed.
    let tail = bench.replica.view().tail;
    bench.persist_all();
    ack(&mut bench, 4, tail);
    assert!(bench.replica.view().commit < tail.seq);
    ack(&mut bench, 2, tail);
    assert_eq!(bench.replica.view().commit, tail.seq);
}

#[test]
fn a_learner_that_is_slow_begins_another_round() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    let set = wanted(&bench, &[&[1, 2, 3, 4]]);
    bench.step(Input::Placed(set));
    assert_eq!(configured(&bench.wait(HEARTBEAT_MS)), None);
    commit_all(&mut bench, &[2, 3]);
    for _ in 0..4 {
        assert_eq!(configured(&bench.wait(HEARTBEAT_MS)), None);
        commit_all(&mut bench, &[2, 3]);
    }
    commit_all(&mut bench, &[2, 3, 4]);
    assert_eq!(configured(&bench.wait(HEARTBEAT_MS)), None, "it took five");
    commit_all(&mut bench, &[2, 3, 4]);
    assert!(configured(&bench.wait(HEARTBEAT_MS)).is_some());
}

#[test]
fn who_is_not_wanted_goes_after_who_comes_and_the_catalog_is_told_until_it_knows() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    let mut set = wanted(&bench, &[&[1, 2, 4]]);
    bench.step(Input::Placed(set.clone()));
    ack_everything(&mut bench, &[2, 3, 4]);
    let added = configured(&bench.wait(HEARTBEAT_MS));
    assert_eq!(added, Some((ids(&[1, 2, 3, 4]), 1)));
    // Not before the step before is committed.
    assert_eq!(configured(&bench.wait(HEARTBEAT_MS)), None);
    commit_all(&mut bench, &[2, 3, 4]);
    let removed = configured(&bench.wait(HEARTBEAT_MS));
    assert_eq!(removed, Some((ids(&[1, 2, 4]), 1)));
    assert_eq!(reported(&bench.wait(HEARTBEAT_MS)), None, "not committed");
    commit_all(&mut bench, &[2, 4]);
    assert_eq!(reported(&bench.wait(HEARTBEAT_MS)), Some(1));
    assert_eq!(
        reported(&bench.wait(HEARTBEAT_MS)),
        None,
        "not at once again"
    );
    ack_everything(&mut bench, &[2, 4]);
    let again = (0..12).find_map(|_| {
        ack_everything(&mut bench, &[2, 4]);
        let effects = bench.wait(HEARTBEAT_MS);
        reported(&effects)
    });
    assert_eq!(again, Some(1));
    // Until then the one that goes is replicated to as well: it learns that it does not vote.
    assert!(follows(&bench, 3));
    assert!(set.settle(1));
    bench.step(Input::Placed(set));
    assert!(!follows(&bench, 3));
    assert_eq!(bench.replica.placement_deadline(), None);
}

/// The nodes say again that they hold everything, whether something is committed by it or not.
fn ack_everything(bench: &mut Bench, nodes: &[u8]) {
    let tail = bench.replica.view().tail;
    for byte in nodes {
        ack(bench, *byte, tail);
    }
    bench.persist_all();
}

#[test]
fn a_leader_that_is_not_wanted_hands_over_and_says_why() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    ack_everything(&mut bench, &[2, 3]);
    let set = wanted(&bench, &[&[2, 3]]);
    let effects = bench.step(Input::Placed(set));
    let is_order = |message: &&ChannelMessage| matches!(message, ChannelMessage::TransferNow(_));
    assert!(sent(&effects).iter().any(is_order), "{effects:?}");
    let target = effects.iter().find_map(|effect| match effect {
        Effect::Send {
            to,
            message: ChannelMessage::TransferNow(_),
            ..
        } => Some(*to),
        _ => None,
    });
    let target = target.unwrap();
    let request = VoteRequest {
        kind: VoteKind::Transfer,
        candidate: target,
        last: bench.replica.view().tail,
        config_seq: Seq::ZERO,
    };
    let effects = bench.step(Input::Message {
        from: target,
        epoch: Epoch::new(2, target),
        message: ChannelMessage::VoteRequest(request),
    });
    let expected = [
        TransitionSignal::PlacementDeselected,
        TransitionSignal::CapabilitySelected,
    ];
    assert_eq!(signals(&effects), expected);
    // It goes on voting and following until the others have taken it out and the catalog knows.
    assert_eq!(bench.replica.view().role, ReplicaRole::Replica);
    let effects = bench.step(Input::Deselect);
    assert_eq!(signals(&effects), [TransitionSignal::PlacementDeselected]);
}

#[test]
fn nobody_is_handed_a_channel_who_is_not_there() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    ack_everything(&mut bench, &[2, 3]);
    for byte in [2, 3] {
        let peer = voter(byte).id();
        bench.step(Input::PeerLost { peer });
    }
    let set = wanted(&bench, &[&[2, 3]]);
    bench.step(Input::Placed(set));
    assert!(!bench.replica.view().draining, "writes would wait for it");
    let peer = voter(3).id();
    bench.step(Input::PeerFound { peer });
    bench.wait(HEARTBEAT_MS);
    assert!(bench.replica.view().draining);
}

#[test]
fn nothing_is_changed_before_a_batch_of_the_own_epoch_is_committed() {
    let settings = Settings {
        stand_first: true,
        ..Settings::default()
    };
    let mut bench = Bench::with(3, settings, |_| {});
    for kind in [VoteKind::Pre, VoteKind::Vote] {
        let vote = bench.vote(kind, 1, 1);
        bench.step(vote);
        bench.persist_all();
    }
    bench.persist_all();
    assert!(bench.replica.leader_row().is_some());
    let set = wanted(&bench, &[&[1, 2]]);
    assert_eq!(configured(&bench.step(Input::Placed(set))), None);
    assert_eq!(configured(&bench.wait(HEARTBEAT_MS)), None);
    ack_everything(&mut bench, &[2]);
    assert!(configured(&bench.wait(HEARTBEAT_MS)).is_some());
}

#[test]
fn what_is_older_than_the_log_undoes_nothing() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    ack_everything(&mut bench, &[2, 3]);
    let set = wanted(&bench, &[&[1, 2]]);
    assert!(configured(&bench.step(Input::Placed(set))).is_some());
    commit_all(&mut bench, &[2]);
    let mut successor = Bench::leader(3, Settings::default());
    successor.persist_all();
    let mut config = bench.replica.config().clone();
    config.version = 5;
    successor.replica.controls.apply(
        successor.replica.view().commit,
        Some(&Control::Config(config)),
    );
    let old = wanted(&successor, &[&[1, 2, 3, 4], &[1, 2, 3]]);
    successor.step(Input::Placed(old));
    assert_eq!(successor.replica.placement_deadline(), None);
}

#[test]
fn a_majority_is_one_of_voters_and_not_of_learners() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    let set = wanted(&bench, &[&[1, 2, 3, 4, 5]]);
    bench.step(Input::Placed(set));
    let begun = bench.now_ms;
    while bench.now_ms < begun + 4_000 && bench.replica.leader_row().is_some() {
        let tail = bench.replica.view().tail;
        for byte in [4, 5] {
            ack(&mut bench, byte, tail);
        }
        bench.wait(HEARTBEAT_MS);
    }
    assert_eq!(bench.replica.view().role, ReplicaRole::Replica);
}

/// A node that the genesis does not name, told by the catalog that it is to vote.
fn learner() -> Bench {
    let mut bench = Bench::new(3);
    let mut others = bench.genesis.voters().to_vec();
    others.retain(|other| *other != voter(1));
    bench.genesis = ChannelConfig::genesis(bench.genesis.class, others).unwrap();
    let settings = Settings::default();
    let recovered = Recovered::empty(&bench.genesis);
    let now = Now {
        mono: Moment::from_nanos(1_000_000_000),
        wall_ms: 1_000,
    };
    let channel = bench.replica.channel;
    let genesis = bench.genesis.clone();
    let me = voter(1).id();
    bench.replica = Replica::new(me, channel, genesis, settings, recovered, now).unwrap();
    bench.step(Input::Select);
    bench
}

#[test]
fn a_learner_follows_whom_the_catalog_names_never_stands_and_votes() {
    let mut bench = learner();
    let stranger = voter(9).id();
    let start = Append {
        previous: bench.origin(),
        commit: Seq::ZERO,
        config_seq: Seq::ZERO,
        batches: Vec::new(),
    };
    let append = Input::Message {
        from: stranger,
        epoch: Epoch::new(1, stranger),
        message: ChannelMessage::Append(start),
    };
    assert!(bench.step(append.clone()).is_empty(), "nobody named it");
    let set = wanted(&bench, &[&[1, 2, 3, 9]]);
    bench.step(Input::Placed(set));
    bench.step(append);
    assert!(!sent(&bench.persist_all()).is_empty(), "it is followed");
    // The configuration that names both may not be here yet.
    bench.now_ms += 60_000;
    assert_eq!(
        signals(&bench.wait(60_000)),
        [],
        "a learner stands for nothing"
    );
    let request = VoteRequest {
        kind: VoteKind::Vote,
        candidate: stranger,
        last: bench.origin(),
        config_seq: Seq::new(3),
    };
    let effects = bench.step(Input::Message {
        from: stranger,
        epoch: Epoch::new(2, stranger),
        message: ChannelMessage::VoteRequest(request),
    });
    let effects = [effects, bench.persist_all()].concat();
    let is_granted = sent(&effects).into_iter().any(|message| match message {
        ChannelMessage::VoteResponse(response) => response.refusal.is_none(),
        _ => false,
    });
    assert!(is_granted, "{effects:?}");
}

#[test]
fn what_a_learner_lacks_is_dropped_only_while_it_is_gone() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    bench.produce(7, 1, 5);
    commit_all(&mut bench, &[2, 3]);
    let set = wanted(&bench, &[&[1, 2, 3, 4]]);
    bench.step(Input::Placed(set));
    let upto = bench.replica.view().commit;
    let trims = |bench: &mut Bench| {
        bench.step(Input::Propose(Proposal::Trim { upto }));
        let effects = bench.step(Input::Flush);
        written(&effects).len()
    };
    assert_eq!(trims(&mut bench), 0);
    let peer = voter(4).id();
    bench.step(Input::PeerLost { peer });
    assert_eq!(trims(&mut bench), 1);
}

#[test]
fn a_learner_that_lacks_what_was_dropped_asks_for_what_came_of_it_and_is_not_halted() {
    let mut bench = learner();
    let leader = voter(2).id();
    let set = wanted(&bench, &[&[1, 2, 3]]);
    bench.step(Input::Placed(set));
    let say = |message| Input::Message {
        from: leader,
        epoch: Epoch::new(1, leader),
        message,
    };
    let previous = LogPosition {
        seq: Seq::new(60),
        ..bench.origin()
    };
    let probe = Append {
        previous,
        commit: Seq::ZERO,
        config_seq: Seq::ZERO,
        batches: Vec::new(),
    };
    bench.step(say(ChannelMessage::Append(probe)));
    let asked = bench.persist_all();
    let request = sent(&asked).into_iter().find_map(|message| match message {
        ChannelMessage::FindPoint(find) => Some(find.request),
        _ => None,
    });
    let answer = PointResponse {
        request: request.unwrap(),
        point: None,
        log_start: Seq::new(50),
    };
    let asks = bench.step(say(ChannelMessage::PointResponse(answer)));
    let is_wish = |message: &&ChannelMessage| matches!(message, ChannelMessage::SnapshotRequest(_));
    assert!(sent(&asks).iter().any(is_wish), "{asks:?}");
    assert_eq!(bench.replica.view().halted, None);
    let asks_again = bench.wait(2 * HEARTBEAT_MS);
    let is_question = |message: &&ChannelMessage| matches!(message, ChannelMessage::FindPoint(_));
    assert!(sent(&asks_again).iter().any(is_question), "{asks_again:?}");
}

/// It may hold the longest log of all, and those whose configuration names it need its vote or its log.
#[test]
fn who_was_taken_out_stands_as_long_as_that_may_not_be_committed() {
    let mut bench = Bench::follower(3);
    let tail = bench.replica.view().tail;
    let config = bench.genesis.without(voter(1).id()).unwrap();
    let batch = tetrarch_wire::batch::BatchDraft::control(&Control::Config(config));
    let batch = batch.seal(&tail, bench.epoch(1), 0);
    let end = batch.position();
    bench.append(1, tail, 0, vec![batch]);
    bench.persist_all();
    let stood = signals(&bench.wait(10_000));
    assert_eq!(stood, [TransitionSignal::MissedHeartbeats]);
    // Its own vote does not count: of the two others it needs both.
    let vote = |bench: &Bench, kind, voter| bench.vote(kind, voter, 2);
    let first = vote(&bench, VoteKind::Pre, 1);
    assert_eq!(sent(&bench.step(first)).len(), 0);
    let second = vote(&bench, VoteKind::Pre, 2);
    bench.step(second);
    bench.persist_all();
    let first = vote(&bench, VoteKind::Vote, 1);
    assert_eq!(signals(&bench.step(first)), []);
    let second = vote(&bench, VoteKind::Vote, 2);
    assert_eq!(
        signals(&bench.step(second)),
        [TransitionSignal::ElectionWon]
    );
    // Once it knows that it was taken out for good, it stands no more.
    let mut bench = Bench::follower(3);
    let config = bench.genesis.without(voter(1).id()).unwrap();
    let batch = tetrarch_wire::batch::BatchDraft::control(&Control::Config(config));
    let batch = batch.seal(&tail, bench.epoch(1), 0);
    bench.append(1, tail, end.seq.get(), vec![batch]);
    bench.persist_all();
    assert_eq!(signals(&bench.wait(10_000)), []);
}

#[test]
fn a_configuration_that_is_cut_off_is_in_force_no_more() {
    let mut bench = Bench::follower(3);
    let tail = bench.replica.view().tail;
    let config = bench.genesis.with(voter(4)).unwrap();
    let batch = tetrarch_wire::batch::BatchDraft::control(&Control::Config(config));
    let batch = batch.seal(&tail, bench.epoch(1), 0);
    let before = bench.replica.membership();
    bench.append(1, tail, 0, vec![batch]);
    assert_eq!(bench.replica.config().voters().len(), 4);
    assert_ne!(bench.replica.membership(), before);
    let after = bench.replica.membership();
    let start = bench.epoch_start(2, &tail);
    bench.append(2, tail, 0, vec![start]);
    bench.persist_all();
    assert_eq!(bench.replica.config().voters().len(), 3);
    assert_ne!(bench.replica.membership(), after);
}

/// One that comes back to a channel that it has let go of, and how far its log went then.
fn returned(change: impl FnOnce(&mut Recovered)) -> (Bench, LogPosition) {
    let epoch = Epoch::new(3, voter(2).id());
    let mut end = None;
    let bench = Bench::with(3, Settings::default(), |recovered| {
        recovered.hard_state.epoch_seen = epoch;
        recovered.reached = LogPosition {
            epoch,
            seq: Seq::new(9),
            ..recovered.tail
        };
        end = Some(recovered.reached);
        change(recovered);
    });
    (bench, end.unwrap())
}

/// What it once acknowledged may be committed, with its copy as one of a majority, and those whose
/// configuration is an old one would still elect somebody with its vote.
#[test]
fn who_comes_back_votes_for_nobody_who_lacks_what_it_held_before() {
    for kind in [VoteKind::Pre, VoteKind::Vote] {
        let (mut bench, end) = returned(|_| {});
        bench.wait(60_000);
        let shorter = LogPosition {
            seq: Seq::new(8),
            ..end
        };
        let effects = [bench.ask(kind, 4, shorter), bench.persist_all()].concat();
        assert_eq!(
            refusal(&effects),
            Some(Some(RefusalReason::Log)),
            "{kind:?}"
        );
        let effects = [bench.ask(kind, 5, end), bench.persist_all()].concat();
        assert_eq!(refusal(&effects), Some(None), "{kind:?}");
        // Nor in an epoch of which it knew.
        let (mut bench, end) = returned(|_| {});
        bench.wait(60_000);
        let effects = [bench.ask(kind, 2, end), bench.persist_all()].concat();
        assert_eq!(refusal(&effects), Some(Some(RefusalReason::Stale)));
    }
}

#[test]
fn who_comes_back_does_not_stand_before_it_holds_what_it_held_before() {
    let (mut bench, _) = returned(|_| {});
    assert_eq!(signals(&bench.wait(60_000)), []);
    let (mut bench, _) = returned(|recovered| recovered.tail = recovered.reached);
    let stands = [TransitionSignal::MissedHeartbeats];
    assert_eq!(signals(&bench.wait(60_000)), stands);
}

fn refusal(effects: &[Effect]) -> Option<Option<RefusalReason>> {
    sent(effects).into_iter().find_map(|message| match message {
        ChannelMessage::VoteResponse(response) => Some(response.refusal),
        _ => None,
    })
}

/// The leader has heard of its going and of its coming at once, and has followed it all the while.
#[test]
fn what_was_acknowledged_in_an_earlier_holding_is_no_copy_in_a_later_one() {
    let acked = |bench: &mut Bench, releases: u64, position: LogPosition| {
        let ack = AppendAck {
            durable: position.seq,
            durable_link: position.link,
            ack_generation: releases,
            credit: 0,
            disk_level: DiskLevel::Green,
        };
        let epoch = bench.replica.leader_row().unwrap().epoch;
        bench.message(1, epoch, ChannelMessage::AppendAck(ack));
    };
    let mut bench = Bench::leader(3, Settings::default());
    let before = bench.replica.view().tail;
    bench.produce(7, 1, 1);
    let tail = bench.replica.view().tail;
    acked(&mut bench, 1, before);
    acked(&mut bench, 0, tail);
    bench.persist_all();
    assert_eq!(bench.replica.view().commit, before.seq, "it came late");
    acked(&mut bench, 1, tail);
    assert_eq!(bench.replica.view().commit, tail.seq);
    // And the one that comes back says so.
    let (mut bench, _) = returned(|recovered| recovered.releases = 1);
    let first = bench.epoch_start(4, &bench.origin());
    let origin = bench.origin();
    bench.append(4, origin, 0, vec![first]);
    let effects = bench.persist_all();
    let said = sent(&effects)
        .into_iter()
        .find_map(|message| match message {
            ChannelMessage::AppendAck(ack) => Some(ack.ack_generation),
            _ => None,
        });
    assert_eq!(said, Some(1), "{effects:?}");
}

/// The leader hears of its going and of its coming at once here, too. What lacks its log and votes keeps a
/// majority from what is committed, and cannot be given what was trimmed.
#[test]
fn who_may_have_let_go_of_its_log_votes_only_after_it_has_caught_up_again() {
    let mut bench = Bench::leader(3, Settings::default());
    bench.persist_all();
    let mut away = wanted(&bench, &[&[1, 2, 4]]);
    bench.step(Input::Placed(away.clone()));
    let is_reported = (0..10).any(|_| {
        commit_all(&mut bench, &[2, 3, 4]);
        reported(&bench.wait(HEARTBEAT_MS)) == Some(1)
    });
    assert!(is_reported, "the third votes no more");
    assert!(away.settle(1));
    let back = ChannelConfig::genesis(bench.genesis.class, vec![voter(1), voter(2), voter(3)]);
    assert_eq!(away.want(&back.unwrap()), Ok(()));
    bench.step(Input::Placed(away));
    assert_eq!(
        configured(&bench.wait(HEARTBEAT_MS)),
        None,
        "it has to catch up"
    );
    commit_all(&mut bench, &[2, 3, 4]);
    let grown = configured(&bench.wait(HEARTBEAT_MS));
    assert_eq!(grown, Some((ids(&[1, 2, 3, 4]), 2)));
}
