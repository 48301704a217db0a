//! When a row stands for a living leader, and when it counts for one.

use super::*;

/// Node 0 leads channel 1 in epoch 5, node 1 follows, both are stamped, and the row is known.
fn led_pair() -> Mesh {
    let mut mesh = Mesh::new(2);
    mesh.stamp(0, &leading(0, channel(1), 5, 10));
    mesh.stamp(1, &following(1, channel(1), 5, 0));
    mesh.round();
    mesh
}

fn heard_at(mesh: &mut Mesh, at: u8) -> Vec<(ChannelUid, Epoch)> {
    let heard = |(by, fact)| match fact {
        ChannelFact::LeaderHeard { channel, epoch, .. } if by == at => Some((channel, epoch)),
        _ => None,
    };
    mesh.take_facts().into_iter().filter_map(heard).collect()
}

fn acked(facts: &[(u8, ChannelFact)]) -> Vec<ChannelUid> {
    let acked = |(_, fact): &(u8, ChannelFact)| match fact {
        ChannelFact::BeatAcked { channel, .. } => Some(*channel),
        _ => None,
    };
    facts.iter().filter_map(acked).collect()
}

#[test]
fn a_beat_tells_the_follower_of_its_leader_and_its_answer_the_leader_of_its_follower() {
    let mut mesh = Mesh::new(2);
    mesh.stamp(0, &leading(0, channel(1), 5, 10));
    mesh.stamp(1, &following(1, channel(1), 5, 0));
    mesh.round();
    let epoch = Epoch::new(5, voter(0));
    let at = mesh.now;
    let heard = ChannelFact::LeaderHeard {
        channel: channel(1),
        roll: Roll::NONE,
        epoch,
        commit: Seq::new(10),
        at,
    };
    let acked = ChannelFact::BeatAcked {
        channel: channel(1),
        roll: Roll::NONE,
        voter: voter(1),
        epoch,
        sent_at: at,
    };
    assert_eq!(mesh.take_facts(), [(1, heard), (0, acked)]);
}

#[test]
fn a_channel_that_did_not_change_is_heard_again_without_being_named() {
    let mut mesh = led_pair();
    mesh.take_facts();
    mesh.pass();
    mesh.restamp(0);
    mesh.tick(0);
    assert!(beats(&mesh)[0].rows.is_empty());
    mesh.settle();
    assert_eq!(
        heard_at(&mut mesh, 1),
        [(channel(1), Epoch::new(5, voter(0)))]
    );
}

#[test]
fn a_moving_commit_is_said_once_and_leaves_the_generation_alone() {
    let mut mesh = led_pair();
    let generation = mesh.hubs[0].peers[&node(1)].led.generation();
    mesh.stamp(0, &leading(0, channel(1), 5, 11));
    mesh.pass();
    mesh.tick(0);
    assert_eq!(beats(&mesh)[0].rows[0].commit, Seq::new(11));
    mesh.settle();
    assert_eq!(mesh.heard(1, 0)[0].commit, Seq::new(11));
    mesh.pass();
    mesh.restamp(0);
    mesh.tick(0);
    assert!(beats(&mesh)[0].rows.is_empty());
    assert_eq!(beats(&mesh)[0].table_generation, generation);
}

#[test]
fn the_last_news_before_silence_is_said_until_it_is_acknowledged() {
    let mut mesh = led_pair();
    mesh.stamp(0, &leading(0, channel(1), 5, 11));
    for _ in 0..2 {
        mesh.pass();
        mesh.restamp(0);
        mesh.tick(0);
        assert_eq!(beats(&mesh)[0].rows[0].commit, Seq::new(11));
        mesh.flight.clear();
    }
    assert_eq!(mesh.heard(1, 0)[0].commit, Seq::new(10));
}

#[test]
fn an_unstamped_row_vanishes_after_two_intervals_and_the_peer_learns_it() {
    let mut mesh = led_pair();
    mesh.take_facts();
    mesh.pass();
    mesh.tick(0);
    mesh.settle();
    assert_eq!(heard_at(&mut mesh, 1).len(), 1);
    mesh.pass();
    mesh.tick(0);
    mesh.settle();
    let withdrew = ChannelFact::LeaderWithdrew {
        channel: channel(1),
        epoch: Epoch::new(5, voter(0)),
    };
    assert_eq!(mesh.take_facts(), [(1, withdrew)]);
    assert_eq!((mesh.led(0, 1), mesh.heard(1, 0)), (vec![], vec![]));
    mesh.restamp(0);
    mesh.pass();
    mesh.tick(0);
    mesh.settle();
    assert_eq!(heard_at(&mut mesh, 1).len(), 1);
}

#[test]
fn the_rows_of_a_living_task_stay_and_those_that_were_taken_out_must_be_stamped() {
    let mut mesh = led_pair();
    let keeper = Keeper::default();
    for _ in 0..5 {
        mesh.pass();
        let now = mesh.now;
        assert_eq!(mesh.hubs[0].alive(keeper, now), []);
        mesh.tick(0);
        mesh.settle();
    }
    assert_eq!(mesh.led(0, 1).len(), 1);
    mesh.pass();
    mesh.pass();
    let other = Keeper::new(7);
    assert_eq!(mesh.hubs[0].alive(other, mesh.now), []);
    mesh.tick(0);
    assert_eq!(
        mesh.led(0, 1),
        vec![],
        "another task vouches for nothing here"
    );
    let now = mesh.now;
    assert_eq!(mesh.hubs[0].alive(other, now), []);
    assert_eq!(mesh.hubs[0].alive(keeper, now), [channel(1)]);
    assert_eq!(mesh.led(0, 1), vec![], "being alive alone earns no row");
    mesh.restamp(0);
    assert_eq!(mesh.led(0, 1).len(), 1);
    assert_eq!(mesh.hubs[0].alive(keeper, mesh.now), []);
}

#[test]
fn rows_that_a_stalled_disk_took_are_asked_for_when_it_goes_on() {
    let mut mesh = led_pair();
    let keeper = Keeper::default();
    assert_eq!(mesh.hubs[0].alive(keeper, mesh.now), []);
    let stalled = |millis| OwnFacts {
        wal_stall_ms: millis,
        ..OwnFacts::default()
    };
    mesh.hubs[0].set_own(stalled(5_000));
    assert_eq!(mesh.led(0, 1), vec![]);
    assert_eq!(
        mesh.hubs[0].alive(keeper, mesh.now),
        [],
        "no row can be had"
    );
    mesh.hubs[0].set_own(stalled(0));
    assert_eq!(mesh.hubs[0].alive(keeper, mesh.now), [channel(1)]);
}

#[test]
fn after_a_pause_of_the_whole_node_nothing_old_is_claimed() {
    let mut mesh = led_pair();
    (0..10).for_each(|_| mesh.pass());
    let now = mesh.now;
    mesh.on(0, |hub, effects| hub.beat_now(channel(1), now, effects));
    assert_eq!(beats(&mesh)[0].table_count, 0);
    assert_eq!(beats(&mesh)[0].rows[0].role, ReplicaRole::Idle);
}

#[test]
fn giving_up_leadership_is_said_at_once() {
    let mut mesh = led_pair();
    mesh.take_facts();
    let mut idle = leading(0, channel(1), 5, 10);
    idle.role = ReplicaRole::Idle;
    mesh.stamp(0, &idle);
    let now = mesh.now.plus(INTERVAL / 2);
    mesh.on(0, |hub, effects| hub.beat_now(channel(1), now, effects));
    mesh.settle();
    assert!(matches!(
        mesh.take_facts()[..],
        [(1, ChannelFact::LeaderWithdrew { .. })]
    ));
}

#[test]
fn urgent_beats_gather_instead_of_following_each_other() {
    let mut mesh = led_pair();
    let start = mesh.now;
    let mut sent = 0;
    for micros in 0..150_000_u64 {
        let now = start.plus(Duration::from_micros(micros));
        if micros % 100 == 0 {
            mesh.on(0, |hub, effects| hub.beat_now(channel(1), now, effects));
        }
        if mesh.hubs[0].urgent_at().is_some_and(|at| at <= now) {
            mesh.on(0, |hub, effects| hub.flush(now, effects));
        }
        sent += mesh.flight.len();
        mesh.flight.clear();
    }
    assert!((29..=31).contains(&sent), "{sent} beats in one interval");
    let now = start.plus(INTERVAL);
    mesh.on(0, |hub, effects| hub.beat_now(channel(1), now, effects));
    mesh.on(0, |hub, effects| hub.beat_now(channel(9), now, effects));
    assert_eq!(mesh.hubs[0].urgent_at(), None);
}

#[test]
fn a_stalled_disk_cannot_keep_leadership() {
    let mut mesh = led_pair();
    mesh.take_facts();
    let stalled = |wal_stall_ms| OwnFacts {
        wal_stall_ms,
        ..OwnFacts::default()
    };
    mesh.on(0, |hub, _| hub.set_own(stalled(4_000)));
    mesh.round();
    assert_eq!(heard_at(&mut mesh, 1).len(), 1);
    mesh.on(0, |hub, _| hub.set_own(stalled(4_001)));
    mesh.round();
    assert!(mesh.heard(1, 0).is_empty());
    assert_eq!(mesh.hubs[1].peer(node(0)).unwrap().wal_stall_ms, 4_001);
    mesh.on(0, |hub, _| hub.set_own(stalled(0)));
    assert!(mesh.led(0, 1).is_empty());
    mesh.round();
    assert_eq!(mesh.heard(1, 0).len(), 1);
}

/// Who acknowledges what, for each way in which a node can stand to a row (§5, `nak`; I25).
#[test]
fn a_refused_row_does_not_count_for_check_quorum() {
    let follows = following(1, channel(1), 5, 0);
    let with = |change: fn(&mut LocalChannel)| {
        let mut local = follows.clone();
        change(&mut local);
        Some(local)
    };
    let cases: [(&str, Option<LocalChannel>, bool); 9] = [
        ("follows", with(|_| {}), true),
        ("unknown or closed", None, false),
        (
            "has seen a higher epoch",
            with(|local| local.epoch_seen.n = 6),
            false,
        ),
        (
            "has seen a lower epoch",
            with(|local| local.epoch_seen.n = 4),
            true,
        ),
        (
            "follows another leader",
            with(|local| local.leader = Some(voter(2))),
            false,
        ),
        (
            "follows nobody yet",
            with(|local| local.leader = None),
            true,
        ),
        (
            "leads itself",
            with(|local| {
                local.role = ReplicaRole::Leader;
                local.leader = None;
            }),
            false,
        ),
        (
            "is parked",
            with(|local| local.role = ReplicaRole::Idle),
            true,
        ),
        (
            "stands for the next epoch",
            with(|local| {
                local.role = ReplicaRole::Candidate;
                local.epoch_seen = Epoch::new(6, voter(1));
                local.leader = None;
            }),
            false,
        ),
    ];
    for (case, local, counts) in cases {
        let mut mesh = Mesh::new(2);
        mesh.stamp(0, &leading(0, channel(1), 5, 10));
        mesh.stamp(0, &leading(0, channel(2), 5, 10));
        mesh.stamp(1, &following(1, channel(2), 5, 0));
        if let Some(local) = &local {
            mesh.stamp(1, local);
        }
        mesh.tick(0);
        mesh.settle();
        let acked = acked(&mesh.take_facts());
        assert_eq!(acked.contains(&channel(1)), counts, "{case}");
        assert!(acked.contains(&channel(2)), "{case}");
    }
}

#[test]
fn a_follower_whose_actor_is_wedged_refuses() {
    let mut mesh = led_pair();
    for counts in [true, false] {
        mesh.take_facts();
        mesh.pass();
        mesh.restamp(0);
        mesh.tick(0);
        mesh.settle();
        assert_eq!(!acked(&mesh.take_facts()).is_empty(), counts);
    }
}

#[test]
fn a_closed_channel_is_refused_and_a_leader_that_closes_withdraws() {
    let mut mesh = led_pair();
    mesh.take_facts();
    mesh.on(1, |hub, _| hub.forget(channel(1)));
    mesh.round();
    assert_eq!(mesh.take_facts(), []);
    mesh.stamp(1, &following(1, channel(1), 5, 0));
    mesh.on(0, |hub, _| hub.forget(channel(1)));
    mesh.round();
    assert!(matches!(
        mesh.take_facts()[..],
        [(1, ChannelFact::LeaderWithdrew { .. })]
    ));
}

#[test]
fn more_refusals_than_a_frame_can_name_make_none_count() {
    let mut mesh = Mesh::new(2);
    for number in 0..600 {
        mesh.stamp(0, &leading(0, channel(number), 5, 10));
    }
    mesh.stamp(1, &following(1, channel(7), 5, 0));
    mesh.round();
    assert_eq!(acked(&mesh.take_facts()), []);
    for number in 0..100 {
        mesh.stamp(1, &following(1, channel(number), 5, 0));
    }
    mesh.round();
    assert_eq!(acked(&mesh.take_facts()).len(), 100);
}

#[test]
fn a_new_epoch_counts_only_with_an_answer_to_a_beat_that_names_it() {
    let mut mesh = led_pair();
    mesh.take_facts();
    mesh.pass();
    mesh.restamp(0);
    mesh.restamp(1);
    mesh.tick(0);
    let (from, beat) = mesh.flight.pop_front().unwrap();
    mesh.stamp(0, &leading(0, channel(1), 6, 10));
    mesh.deliver(from, beat);
    mesh.settle();
    assert_eq!(acked(&mesh.take_facts()), []);
    mesh.round();
    let expected = ChannelFact::BeatAcked {
        channel: channel(1),
        roll: Roll::NONE,
        voter: voter(1),
        epoch: Epoch::new(6, voter(0)),
        sent_at: mesh.now,
    };
    assert!(mesh.take_facts().contains(&(0, expected)));
}

#[test]
fn an_answer_counts_for_no_more_than_its_beat_said() {
    let mut mesh = led_pair();
    mesh.pass();
    mesh.restamp(0);
    mesh.tick(0);
    mesh.stamp(0, &leading(0, channel(1), 6, 10));
    mesh.take_facts();
    let ack = BeatAck {
        boot: Boot::new(1),
        number: beats(&mesh)[0].number,
        table_generation_seen: u64::MAX,
        rows: Vec::new(),
        refused: Vec::new(),
    };
    let now = mesh.now;
    mesh.on(0, |hub, effects| hub.on_ack(node(1), &ack, now, effects));
    assert_eq!(mesh.take_facts(), []);
}

#[test]
fn an_answer_from_a_node_that_lacks_the_table_counts_for_what_it_holds() {
    let mut mesh = led_pair();
    mesh.stamp(0, &leading(0, channel(2), 5, 1));
    mesh.stamp(1, &following(1, channel(2), 5, 0));
    mesh.take_facts();
    let held = mesh.hubs[1].peers[&node(0)].heard.generation();
    mesh.pass();
    mesh.tick(0);
    let (from, mut sent) = mesh.flight.pop_front().unwrap();
    if let Frame::NodeBeat(beat) = &mut sent.frame {
        beat.rows.clear();
    }
    mesh.deliver(from, sent);
    assert_eq!(acks(&mesh)[0].table_generation_seen, held);
    mesh.flight
        .retain(|(_, sent)| matches!(sent.frame, Frame::BeatAck(_)));
    mesh.settle();
    assert_eq!(acked(&mesh.take_facts()), [channel(1)]);
}

#[test]
fn frames_of_an_earlier_start_are_dropped() {
    let mut mesh = led_pair();
    mesh.pass();
    mesh.restamp(0);
    mesh.tick(0);
    let old_beat = mesh.flight.pop_front().unwrap();
    mesh.take_facts();
    mesh.on(1, |hub, effects| {
        hub.peer_up(node(0), voter(0), Boot::new(2), effects);
    });
    // The restarted node leads nothing, and its followers need not wait to learn it.
    assert!(matches!(
        mesh.take_facts()[..],
        [(1, ChannelFact::LeaderWithdrew { .. })]
    ));
    mesh.deliver(old_beat.0, old_beat.1);
    mesh.on(1, |hub, effects| {
        hub.peer_up(node(0), voter(0), Boot::new(1), effects);
    });
    assert_eq!(mesh.hubs[1].peers[&node(0)].boot, Boot::new(2));
    mesh.settle();
    assert_eq!(mesh.take_facts(), []);
    assert!(mesh.heard(1, 0).is_empty());
}

#[test]
fn a_repeated_or_overtaken_beat_keeps_nobody_alive() {
    let mut mesh = Mesh::new(2);
    for number in 0..20 {
        mesh.stamp(0, &leading(0, channel(number), 5, 10));
        mesh.stamp(1, &following(1, channel(number), 5, 0));
    }
    mesh.tick(0);
    let late = mesh.flight.pop_back().unwrap();
    assert!(matches!(&late.1.frame, Frame::NodeBeat(beat) if beat.pages == 2));
    mesh.settle();
    mesh.round();
    mesh.pass();
    mesh.tick(0);
    let repeated = mesh.flight[0].clone();
    mesh.settle();
    mesh.take_facts();
    for (from, sent) in [late, repeated] {
        mesh.deliver(from, sent);
        assert!(mesh.take_facts().is_empty() && mesh.flight.is_empty());
    }
}

#[test]
fn an_answer_to_an_earlier_start_is_dropped() {
    let mut mesh = led_pair();
    mesh.pass();
    mesh.restamp(0);
    mesh.restamp(1);
    mesh.tick(0);
    let (from, beat) = mesh.flight.pop_front().unwrap();
    mesh.deliver(from, beat);
    let (from, mut ack) = mesh.flight.pop_front().unwrap();
    if let Frame::BeatAck(ack) = &mut ack.frame {
        ack.boot = Boot::new(0);
    }
    mesh.take_facts();
    mesh.deliver(from, ack);
    assert_eq!(mesh.take_facts(), []);
}

#[test]
fn a_restarted_peer_is_told_everything_again() {
    let mut mesh = led_pair();
    mesh.on(0, |hub, effects| {
        hub.peer_up(node(1), voter(1), Boot::new(2), effects);
    });
    mesh.pass();
    mesh.restamp(0);
    mesh.tick(0);
    assert_eq!(beats(&mesh)[0].rows.len(), 1);
}

#[test]
fn a_wiped_peer_is_another_voter_and_is_told_nothing_of_its_predecessor() {
    let mut mesh = led_pair();
    let wiped = VoterId::from_bytes([77; 16]);
    mesh.on(0, |hub, effects| {
        hub.peer_up(node(1), wiped, Boot::new(1), effects);
    });
    assert!(mesh.led(0, 1).is_empty());
    mesh.stamp(0, &leading(0, channel(1), 5, 11));
    assert!(mesh.led(0, 1).is_empty());
    let mut told = leading(0, channel(1), 5, 11);
    told.replicas = [PeerReplica {
        node: node(1),
        voter: wiped,
    }]
    .into();
    mesh.stamp(0, &told);
    assert_eq!(mesh.led(0, 1).len(), 1);
}

#[test]
fn a_row_about_somebody_elses_epoch_is_never_believed() {
    let mut mesh = led_pair();
    mesh.take_facts();
    let mut stolen = leading(0, channel(1), 9, 10);
    if let Some(row) = &mut stolen.row {
        row.epoch.leader = voter(2);
    }
    mesh.stamp(0, &stolen);
    mesh.tick(0);
    mesh.settle();
    // That it claims nothing of its own any more is all that there is in it.
    let withdrew = ChannelFact::LeaderWithdrew {
        channel: channel(1),
        epoch: Epoch::new(5, voter(0)),
    };
    assert_eq!(mesh.take_facts(), [(1, withdrew)]);
    // When it takes the row out again, the leader that it named has not withdrawn.
    stolen.role = ReplicaRole::Replica;
    mesh.stamp(0, &stolen);
    mesh.tick(0);
    mesh.settle();
    assert_eq!(mesh.take_facts(), []);
}

#[test]
fn a_channel_that_moves_away_is_withdrawn_where_it_was() {
    let mut mesh = led_pair();
    let mut moved = leading(0, channel(1), 5, 10);
    moved.replicas = [].into();
    mesh.stamp(0, &moved);
    mesh.round();
    assert!(mesh.heard(1, 0).is_empty());
}
