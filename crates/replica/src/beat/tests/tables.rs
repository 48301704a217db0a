//! Pages, lost deltas and whole tables.

use tetrarch_wire::{frame::DiskLevel, limits};

use super::*;

/// Node 0 leads `count` channels that node 1 replicates; nothing was sent yet.
fn leader_of(count: u32) -> Mesh {
    let mut mesh = Mesh::new(2);
    for number in 0..count {
        mesh.stamp(0, &leading(0, channel(number), 5, 1_000_000));
    }
    mesh
}

fn requests(mesh: &Mesh) -> usize {
    mesh.flight
        .iter()
        .filter(|(_, sent)| matches!(sent.frame, Frame::TableRequest(_)))
        .count()
}

#[test]
fn a_few_pages_go_as_datagrams_that_fit_and_many_over_the_control_stream() {
    for (channels, datagrams) in [(1, 1), (16, 1), (17, 2), (64, 4), (65, 0), (1_000, 0)] {
        let mut mesh = leader_of(channels);
        mesh.tick(0);
        let rows: usize = beats(&mesh).iter().map(|beat| beat.rows.len()).sum();
        assert_eq!(rows, usize::try_from(channels).unwrap());
        for (_, sent) in &mesh.flight {
            if datagrams > 0 {
                assert_eq!(sent.way, BeatWay::Datagram);
                assert!(encoded_len(&sent.frame) <= 1_100);
            } else {
                assert_eq!(sent.way, BeatWay::Control);
                assert!(encoded_len(&sent.frame) <= 64 * 1_024);
            }
        }
        if datagrams > 0 {
            assert_eq!(mesh.flight.len(), datagrams, "{channels} channels");
        }
        mesh.settle();
        assert_eq!(mesh.heard(1, 0), mesh.led(0, 1));
    }
}

#[test]
fn pages_arrive_in_any_order_and_more_than_once() {
    let mut mesh = leader_of(60);
    mesh.tick(0);
    let pages: Vec<_> = mesh.flight.drain(..).collect();
    assert_eq!(pages.len(), 4);
    for index in [3, 1, 1, 0, 3] {
        let (from, sent) = pages[index].clone();
        mesh.deliver(from, sent);
        assert!(mesh.flight.is_empty(), "an incomplete beat is not answered");
    }
    let (from, sent) = pages[2].clone();
    mesh.deliver(from, sent);
    assert_eq!(acks(&mesh).len(), 1);
    assert_eq!(mesh.heard(1, 0), mesh.led(0, 1));
}

#[test]
fn a_lost_delta_is_repaired_by_one_paced_request() {
    let mut mesh = leader_of(3);
    mesh.round();
    // The peer believes that it acknowledged what it never took in: the worst case.
    mesh.stamp(0, &leading(0, channel(9), 5, 1));
    mesh.pass();
    mesh.tick(0);
    let number = beats(&mesh)[0].number;
    mesh.flight.clear();
    if let Some(peer) = mesh.hubs[0].peers.get_mut(&node(1)) {
        peer.led.acknowledged(number);
    }
    let start = mesh.now;
    for millis in [1, 20, 40] {
        mesh.now = start.plus(Duration::from_millis(millis));
        mesh.tick(0);
        let (from, sent) = mesh.flight.pop_back().unwrap();
        assert!(matches!(&sent.frame, Frame::NodeBeat(beat) if beat.rows.is_empty()));
        mesh.deliver(from, sent);
    }
    assert_eq!(requests(&mesh), 1);
    assert_eq!(mesh.heard(1, 0).len(), 3);
    mesh.settle();
    assert_eq!(mesh.heard(1, 0).len(), 4);
    assert_eq!(mesh.heard(1, 0), mesh.led(0, 1));
    mesh.round();
    assert_eq!(requests(&mesh), 0);
}

#[test]
fn while_the_table_is_not_whole_only_named_channels_are_heard() {
    let mut mesh = leader_of(2);
    mesh.stamp(1, &following(1, channel(0), 5, 0));
    mesh.stamp(1, &following(1, channel(1), 5, 0));
    mesh.round();
    mesh.take_facts();
    // The removal of channel 0 is lost; channel 1 is named.
    mesh.on(0, |hub, _| hub.forget(channel(0)));
    mesh.stamp(0, &leading(0, channel(1), 5, 2_000_000));
    mesh.pass();
    mesh.tick(0);
    let (from, mut sent) = mesh.flight.pop_front().unwrap();
    if let Frame::NodeBeat(beat) = &mut sent.frame {
        beat.rows.retain(|row| row.channel == channel(1));
    }
    mesh.deliver(from, sent);
    let facts = mesh.take_facts();
    assert!(matches!(
        facts[..],
        [(1, ChannelFact::LeaderHeard { channel: heard, .. })] if heard == channel(1)
    ));
    mesh.settle();
    assert_eq!(mesh.heard(1, 0), mesh.led(0, 1));
    assert!(
        mesh.take_facts()
            .iter()
            .any(|(at, fact)| { *at == 1 && matches!(fact, ChannelFact::LeaderWithdrew { .. }) })
    );
}

#[test]
fn a_table_is_sent_once_an_interval_and_only_to_who_lacks_it() {
    let mut mesh = leader_of(3);
    mesh.round();
    let generation = mesh.hubs[0].peers[&node(1)].led.generation();
    let ask = |mesh: &mut Mesh, generation_seen| {
        let now = mesh.now;
        let request = tetrarch_wire::frame::TableRequest { generation_seen };
        mesh.on(0, |hub, effects| {
            hub.on_table_request(node(1), request, now, effects);
        });
        let sent = mesh.flight.len();
        mesh.flight.clear();
        sent
    };
    assert_eq!(ask(&mut mesh, generation), 0);
    assert_eq!(ask(&mut mesh, 0), 1);
    assert_eq!(ask(&mut mesh, 0), 0);
    mesh.pass();
    assert_eq!(ask(&mut mesh, 0), 1);
}

#[test]
fn a_whole_table_of_many_pages_replaces_what_was_held() {
    let mut mesh = leader_of(1_200);
    mesh.round();
    mesh.on(0, |hub, _| hub.forget(channel(7)));
    let now = mesh.now;
    let request = tetrarch_wire::frame::TableRequest { generation_seen: 0 };
    mesh.on(0, |hub, effects| {
        hub.on_table_request(node(1), request, now, effects);
    });
    assert_eq!(mesh.flight.len(), 3);
    let last = mesh.flight.pop_front().unwrap();
    mesh.settle();
    assert_eq!(mesh.heard(1, 0).len(), 1_200);
    mesh.deliver(last.0, last.1);
    assert_eq!(mesh.heard(1, 0), mesh.led(0, 1));
}

#[test]
fn beats_fall_back_to_the_control_stream_after_one_unanswered_and_return() {
    let mut mesh = leader_of(1);
    let ways =
        |mesh: &Mesh| -> Vec<BeatWay> { mesh.flight.iter().map(|(_, sent)| sent.way).collect() };
    mesh.tick(0);
    assert_eq!(ways(&mesh), [BeatWay::Datagram]);
    mesh.flight.clear();
    mesh.pass();
    mesh.restamp(0);
    mesh.tick(0);
    assert_eq!(ways(&mesh), [BeatWay::Control]);
    let (from, sent) = mesh.flight.pop_front().unwrap();
    mesh.deliver(from, sent);
    assert_eq!(
        ways(&mesh),
        [BeatWay::Control],
        "the answer takes the same way"
    );
    mesh.settle();
    mesh.pass();
    mesh.tick(0);
    assert_eq!(ways(&mesh), [BeatWay::Datagram]);
}

#[test]
fn rows_on_the_control_stream_are_not_said_again_every_interval() {
    let mut mesh = leader_of(1_000);
    let mut bytes = Vec::new();
    for _ in 0..4 {
        let before = mesh.flight.len();
        mesh.tick(0);
        let sent = mesh.flight.iter().skip(before);
        bytes.push(
            sent.map(|(_, sent)| encoded_len(&sent.frame))
                .sum::<usize>(),
        );
        mesh.pass();
        mesh.restamp(0);
    }
    assert!(bytes[0] > 50_000 && bytes[1..].iter().all(|bytes| *bytes < 150));
    mesh.settle();
    assert_eq!(mesh.heard(1, 0), mesh.led(0, 1));
}

#[test]
fn no_more_rows_are_held_than_a_mesh_has_channels() {
    let mut mesh = Mesh::new(2);
    let now = mesh.now;
    let row = |number: usize| ChannelBeat {
        channel: ChannelUid::from_bytes({
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            bytes
        }),
        ..leading(0, channel(0), 5, 1).row.unwrap()
    };
    for number in 1..=200_usize {
        let first = number * limits::MAX_BEAT_ROWS;
        let beat = NodeBeat {
            boot: Boot::new(1),
            number: number as u64,
            page: 0,
            pages: 1,
            mono_ns: 0,
            echo: None,
            disk_level: DiskLevel::Green,
            free_bytes: 0,
            wal_stall_ms: 0,
            table_generation: number as u64,
            table_count: 0,
            table_hash: 0,
            rows: (first..first + limits::MAX_BEAT_ROWS).map(row).collect(),
        };
        mesh.on(1, |hub, effects| {
            hub.on_beat(node(0), &beat, BeatWay::Control, now, effects);
        });
    }
    assert_eq!(mesh.hubs[1].held_rows(), crate::catalog::MAX_CHANNELS + 1);
}

#[test]
fn a_new_connection_repeats_what_the_old_one_may_have_lost() {
    let mut mesh = leader_of(1_000);
    mesh.tick(0);
    mesh.flight.clear();
    for (at, other) in [(0, 1), (1, 0)] {
        mesh.on(at, |hub, effects| {
            hub.peer_down(node(other));
            hub.peer_up(node(other), voter(other), Boot::new(1), effects);
        });
    }
    mesh.tick(0);
    let said: usize = beats(&mesh).iter().map(|beat| beat.rows.len()).sum();
    assert_eq!(said, 1_000);
    mesh.settle();
    assert_eq!(mesh.heard(1, 0).len(), 1_000);
}

/// Lets node 1 ask for the table of node 0 and takes the answer away.
fn pages_of_table(mesh: &mut Mesh) -> Vec<(u8, OutgoingFrame)> {
    let now = mesh.now;
    let request = tetrarch_wire::frame::TableRequest { generation_seen: 0 };
    let before: Vec<_> = mesh.flight.drain(..).collect();
    mesh.on(0, |hub, effects| {
        hub.on_table_request(node(1), request, now, effects);
    });
    let pages = mesh.flight.drain(..).collect();
    mesh.flight.extend(before);
    pages
}

#[test]
fn beats_follow_a_table_on_its_stream_until_it_is_confirmed() {
    let mut mesh = leader_of(3);
    mesh.round();
    mesh.stamp(0, &leading(0, channel(9), 5, 1));
    mesh.pass();
    mesh.tick(0);
    mesh.settle();
    for (way, asked) in [
        (BeatWay::Datagram, false),
        (BeatWay::Control, true),
        (BeatWay::Datagram, false),
    ] {
        if asked {
            assert_eq!(pages_of_table(&mut mesh).len(), 1);
        }
        mesh.pass();
        mesh.restamp(0);
        mesh.tick(0);
        assert_eq!(mesh.flight[0].1.way, way);
        mesh.settle();
    }
}

#[test]
fn the_hash_of_a_table_covers_channel_number_and_leader() {
    let epoch = Epoch::new(5, voter(0));
    let share = table_hash_share(channel(1), epoch);
    assert_eq!(share, table_hash_share(channel(1), epoch));
    assert_ne!(share, table_hash_share(channel(2), epoch));
    assert_ne!(share, table_hash_share(channel(1), Epoch::new(6, voter(0))));
    assert_ne!(share, table_hash_share(channel(1), Epoch::new(5, voter(1))));
}

#[test]
fn a_beat_from_before_the_table_that_is_held_undoes_nothing() {
    let mut mesh = leader_of(3);
    mesh.stamp(1, &following(1, channel(9), 5, 0));
    mesh.round();
    mesh.stamp(0, &leading(0, channel(9), 5, 1));
    mesh.pass();
    mesh.tick(0);
    let (from, old) = mesh.flight.pop_front().unwrap();
    mesh.on(0, |hub, _| hub.forget(channel(9)));
    for (from, page) in pages_of_table(&mut mesh) {
        mesh.deliver(from, page);
    }
    mesh.take_facts();
    mesh.deliver(from, old);
    assert_eq!(mesh.take_facts(), []);
    assert_eq!(mesh.heard(1, 0), mesh.led(0, 1));
}

#[test]
fn a_table_from_before_the_beats_that_were_heard_or_of_an_earlier_start_is_dropped() {
    let mut mesh = leader_of(3);
    mesh.round();
    let pages = pages_of_table(&mut mesh);
    mesh.stamp(0, &leading(0, channel(9), 5, 1));
    mesh.pass();
    mesh.restamp(0);
    mesh.tick(0);
    mesh.settle();
    for (from, page) in pages.clone() {
        mesh.deliver(from, page);
    }
    assert_eq!(mesh.heard(1, 0).len(), 4);
    assert_eq!(mesh.heard(1, 0), mesh.led(0, 1));
    mesh.on(1, |hub, effects| {
        hub.peer_up(node(0), voter(0), Boot::new(2), effects);
    });
    for (from, page) in pages {
        mesh.deliver(from, page);
    }
    assert!(mesh.heard(1, 0).is_empty());
}

#[test]
fn nothing_is_sent_to_or_taken_from_a_peer_without_a_connection() {
    let mut mesh = leader_of(1);
    mesh.tick(0);
    let (from, sent) = mesh.flight.pop_front().unwrap();
    mesh.on(1, |hub, _| hub.peer_down(node(0)));
    mesh.deliver(from, sent);
    mesh.on(0, |hub, _| hub.peer_down(node(1)));
    mesh.pass();
    mesh.tick(0);
    assert!(mesh.flight.is_empty() && mesh.heard(1, 0).is_empty());
}

#[test]
fn round_trips_are_measured_and_beats_echo_each_other() {
    let mut mesh = leader_of(1);
    mesh.tick(0);
    let (from, sent) = mesh.flight.pop_front().unwrap();
    mesh.deliver(from, sent);
    mesh.now = mesh.now.plus(Duration::from_millis(8));
    mesh.settle();
    mesh.now = mesh.now.plus(Duration::from_millis(2));
    mesh.tick(1);
    assert_eq!(beats(&mesh)[0].echo, Some((1, 10_000)));
    mesh.settle();
    let fact = mesh.hubs[0].peer(node(1)).unwrap();
    assert_eq!(fact.rtt, Some(Duration::from_millis(8)));
    mesh.pass();
    mesh.tick(0);
    let (from, sent) = mesh.flight.pop_front().unwrap();
    mesh.deliver(from, sent);
    mesh.now = mesh.now.plus(Duration::from_millis(16));
    mesh.settle();
    mesh.tick(1);
    mesh.settle();
    let fact = mesh.hubs[0].peer(node(1)).unwrap();
    assert_eq!(fact.rtt, Some(Duration::from_millis(9)));
}
