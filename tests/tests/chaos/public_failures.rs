//! Failures of another replicated log that its users reported in public, tried here by the numbers of
//! their reports at github.com/nats-io/nats-server. What became of flipped bits and damaged state is in
//! [`super::damage`], full disks in [`super::full_disk`], kills and pauses in the experiments.

use std::fs;

use tetrarch_tests::{Mesh, MeshOptions, Producer, Signal, eventually};

use super::{CHANNEL, alone};

const PADDING: usize = 500;

const STOOD: &str =
    "tetrarch_transitions_total{from=\"Replica\",to=\"Candidate\",signal=\"MissedHeartbeats\"}";
const WON: &str =
    "tetrarch_transitions_total{from=\"Candidate\",to=\"Leader\",signal=\"ElectionWon\"}";

fn mesh() -> (Mesh, usize) {
    let mesh = Mesh::start_with(&MeshOptions {
        environment: super::experiment::STORAGE.to_vec(),
        ..MeshOptions::default()
    });
    mesh.create_channel(CHANNEL);
    let leader = mesh.leader_of(CHANNEL);
    (mesh, leader)
}

fn others(leader: usize) -> [usize; 2] {
    [(leader + 1) % 3, (leader + 2) % 3]
}

/// 8519: the leader survives while two of three nodes restart under load. Writes stood still for ever
/// afterwards, the group was reported healthy, and no step-down got through.
#[test]
fn nats_8519_two_of_three_nodes_restart_under_load() {
    let _alone = alone();
    let (mut mesh, leader) = mesh();
    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", PADDING);
    producer.feed(2_000);
    producer.wait_acknowledged(500);
    for node in others(leader) {
        mesh.nodes[node].kill();
    }
    producer.feed(5_000);
    for node in others(leader) {
        mesh.nodes[node].start();
    }
    producer.feed(5_000);
    producer.wait_acknowledged(12_000);
    let leader = mesh.leader_of(CHANNEL);
    let stepped_down = mesh.run(&["channel", "relinquish", CHANNEL]);
    drop(stepped_down.expect_success("handing over after the restart"));
    eventually("another node leads", || mesh.leader_of(CHANNEL) != leader);
    producer.feed(1_000);
    producer.wait_acknowledged(13_000);
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}

/// 8320: a follower that had fallen behind under load stopped answering its leader, dropped what it was
/// catching up with, and began again and again.
#[test]
fn nats_8320_a_follower_that_fell_behind_catches_up_under_load() {
    let _alone = alone();
    let (mut mesh, leader) = mesh();
    let [behind, _] = others(leader);
    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", PADDING);
    producer.feed(100);
    producer.wait_acknowledged(100);
    mesh.nodes[behind].signal(Signal::Stop);
    producer.feed(20_000);
    producer.wait_acknowledged(20_100);
    mesh.nodes[behind].signal(Signal::Continue);
    let tail = format!("tetrarch_channel_durable_seq{{channel=\"{CHANNEL}\"}}");
    let mut fed = 20_100;
    eventually("it has caught up while more was written", || {
        producer.feed(200);
        fed += 200;
        producer.wait_acknowledged(fed);
        let leader = mesh.nodes[mesh.leader_of(CHANNEL)].metric(&tail);
        leader - mesh.nodes[behind].metric(&tail) <= 400.0
    });
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}

/// 7038: a node whose disk had been replaced by an empty one voted, and a node became leader that
/// lacked what had been acknowledged.
#[test]
fn nats_7038_an_empty_disk_does_not_vote() {
    let _alone = alone();
    let (mut mesh, leader) = mesh();
    let [wiped, late] = others(leader);
    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", PADDING);
    producer.feed(100);
    producer.wait_acknowledged(100);
    mesh.nodes[late].kill();
    producer.feed(1_000);
    producer.wait_acknowledged(1_100);
    // Acknowledged by the leader and the node that loses its disk. The one that is left lacks it.
    mesh.nodes[wiped].kill();
    mesh.nodes[leader].kill();
    let dir = mesh.nodes[wiped].dir().to_owned();
    fs::remove_dir_all(dir.join("data")).expect("a disk can be replaced");
    mesh.nodes[wiped].start();
    assert_ne!(mesh.nodes[wiped].wait(), Some(0), "it serves nothing");
    let why = mesh.nodes[wiped].log();
    assert!(why.contains("is not formatted"), "it says why: {why}");
    let config = dir.join("node.toml").display().to_string();
    let formatted = mesh.run(&["format", "--join", "--config", &config]);
    drop(formatted.expect_success("formatting the empty disk"));
    mesh.nodes[wiped].start();
    mesh.nodes[late].start();
    eventually("both run and know each other", || {
        let connected = "tetrarch_connections{kind=\"peer\"}";
        [late, wiped]
            .iter()
            .all(|&node| mesh.nodes[node].metric(connected) > 0.0)
    });
    eventually("the late one stands for election, again and again", || {
        let won = mesh.nodes[late].metric(WON) + mesh.nodes[wiped].metric(WON);
        assert!(
            won < 1.0,
            "two of three nodes run, and one of them has no vote"
        );
        mesh.nodes[late].metric(STOOD) > 10.0
    });
    mesh.nodes[wiped].kill();
    mesh.nodes[leader].start();
    producer.feed(100);
    producer.wait_acknowledged(1_200);
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}
