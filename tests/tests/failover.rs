//! Nodes die, stand still and come back, and no acknowledged event is lost, repeated or moved.

use tetrarch_tests::{Mesh, Producer, Signal, eventually};

const CHANNEL: &str = "orders";

#[test]
fn events_are_the_same_on_every_node() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(10_000);
    let (payloads, runs) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
    assert!(
        runs.is_sorted_by(|one, next| one.last < next.first),
        "seqs only grow"
    );
}

#[test]
fn the_leader_is_killed_under_load() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(20_000);
    producer.wait_acknowledged(1_000);
    let leader = mesh.leader_of(CHANNEL);
    mesh.nodes[leader].kill();
    producer.feed(20_000);
    producer.wait_acknowledged(40_000);
    mesh.nodes[leader].start();
    mesh.wait_ready();
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}

#[test]
fn a_follower_is_killed_and_comes_back() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let follower = (mesh.leader_of(CHANNEL) + 1) % 3;
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(5_000);
    producer.wait_acknowledged(5_000);
    mesh.nodes[follower].kill();
    producer.feed(5_000);
    producer.wait_acknowledged(10_000);
    mesh.nodes[follower].start();
    mesh.wait_ready();
    producer.feed(5_000);
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}

#[test]
fn the_whole_mesh_is_killed_and_comes_back() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(10_000);
    producer.wait_acknowledged(10_000);
    for node in &mut mesh.nodes {
        node.kill();
    }
    for node in &mut mesh.nodes {
        node.start();
    }
    mesh.wait_ready();
    producer.feed(10_000);
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}

#[test]
fn a_leader_that_stood_still_is_fenced() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(5_000);
    producer.wait_acknowledged(5_000);
    let old = mesh.leader_of(CHANNEL);
    mesh.nodes[old].signal(Signal::Stop);
    producer.feed(5_000);
    producer.wait_acknowledged(10_000);
    mesh.nodes[old].signal(Signal::Continue);
    let stepped_down = |signal: &str| {
        let series = format!(
            "tetrarch_transitions_total{{from=\"Leader\",to=\"Replica\",signal=\"{signal}\"}}"
        );
        mesh.nodes[old].metric(&series)
    };
    eventually("the old leader has stepped down", || {
        stepped_down("QuorumLost") + stepped_down("PeerLeaderObserved") > 0.0
    });
    producer.feed(5_000);
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}

#[test]
fn a_node_that_is_asked_to_stop_hands_over() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(5_000);
    producer.wait_acknowledged(5_000);
    let leader = mesh.leader_of(CHANNEL);
    mesh.nodes[leader].signal(Signal::Term);
    assert_eq!(
        mesh.nodes[leader].wait(),
        Some(0),
        "an orderly stop is a success"
    );
    let log = mesh.nodes[leader].log();
    assert!(
        log.contains("GracefulRelinquish"),
        "it handed over before it stopped"
    );
    producer.feed(5_000);
    producer.wait_acknowledged(10_000);
    mesh.nodes[leader].start();
    mesh.wait_ready();
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}

/// Its connections end because it stops; that is no reason to stand for election.
#[test]
fn a_follower_that_is_asked_to_stop_leaves_its_channels_first() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let follower = (mesh.leader_of(CHANNEL) + 1) % 3;
    let missed = |log: &str| log.matches("MissedHeartbeats").count();
    let before = missed(&mesh.nodes[follower].log());
    mesh.nodes[follower].signal(Signal::Term);
    assert_eq!(mesh.nodes[follower].wait(), Some(0));
    let log = mesh.nodes[follower].log();
    assert!(log.contains("ChannelClose"), "it left: {log}");
    assert_eq!(missed(&log), before, "{log}");
}
