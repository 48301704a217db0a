//! A node that is gone for good, or comes back with an empty disk, is replaced without anybody doing
//! anything.

use std::fs;

use tetrarch_tests::{Mesh, MeshOptions, Producer, eventually};

const CHANNEL: &str = "orders";
const LAST: usize = 3;

/// Four nodes, and a channel that is on the last one.
fn mesh_with(replace_after_ms: &'static str) -> Mesh {
    let mesh = Mesh::start_with(&MeshOptions {
        nodes: 4,
        environment: vec![("TETRARCH_TIMING_REPLACE_AFTER_MS", replace_after_ms)],
    });
    mesh.create_channel(CHANNEL);
    mesh.move_channel(CHANNEL, &[1, 2, LAST]);
    mesh
}

fn is_told_by(mesh: &Mesh, holders: &[usize], payloads: &[String]) {
    for node in holders {
        let told = mesh.read_back(*node, CHANNEL, payloads.len());
        assert!(told == payloads, "n{} tells another story", node + 1);
    }
}

#[test]
fn a_node_that_stays_away_is_replaced_and_holds_nothing_when_it_comes_back() {
    let mut mesh = mesh_with("2000");
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(20_000);
    producer.wait_acknowledged(5_000);
    mesh.nodes[LAST].kill();
    eventually("another node holds the channel instead", || {
        mesh.holders_of(CHANNEL) == [0, 1, 2]
    });
    producer.feed(1_000);
    let (payloads, _) = producer.finish();
    is_told_by(&mesh, &[0, 1, 2], &payloads);
    mesh.nodes[LAST].start();
    eventually("it has let go of it", || {
        let is_idle = "tetrarch_channel_role{channel=\"orders\",role=\"Idle\"}";
        mesh.nodes[LAST].is_ready() && mesh.nodes[LAST].metric(is_idle) == 0.0
    });
    assert_eq!(mesh.holders_of(CHANNEL), [0, 1, 2]);
}

#[test]
fn a_node_that_comes_back_with_an_empty_disk_is_replaced_at_once() {
    let mut mesh = mesh_with("0");
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(20_000);
    producer.wait_acknowledged(5_000);
    mesh.nodes[LAST].kill();
    fs::remove_dir_all(mesh.nodes[LAST].dir().join("data")).expect("it has a data directory");
    let config = mesh.nodes[LAST].dir().join("node.toml");
    let config = config.to_str().expect("the path is text");
    let formatted = mesh.run(&["format", "--join", "--config", config]);
    assert_eq!(formatted.code, Some(0), "{formatted:?}");
    mesh.nodes[LAST].start();
    eventually("another node holds the channel instead", || {
        mesh.holders_of(CHANNEL) == [0, 1, 2]
    });
    producer.feed(1_000);
    let (payloads, _) = producer.finish();
    is_told_by(&mesh, &[0, 1, 2], &payloads);
}
