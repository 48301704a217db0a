//! Leaders are spread over the nodes when an operator wants that, and not before.

use serde_json::Value;
use tetrarch_tests::{Mesh, Producer};

const CHANNELS: [&str; 3] = ["c1", "c2", "c3"];

fn planned(mesh: &Mesh) -> usize {
    let output = mesh.run(&["rebalance", "--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let shown: Value = serde_json::from_str(&output.stdout).expect("it prints JSON");
    assert_eq!(shown["applied"], false);
    shown["handovers"].as_array().map_or(0, Vec::len)
}

#[test]
fn leaders_are_spread_evenly_and_publishers_go_on() {
    let mut mesh = Mesh::start();
    for channel in CHANNELS {
        mesh.create_channel(channel);
        if mesh.leader_of(channel) != 0 {
            let handed_over = mesh.run(&["channel", "relinquish", channel, "--to", "n1"]);
            assert_eq!(handed_over.code, Some(0), "{handed_over:?}");
            assert_eq!(mesh.leader_of(channel), 0);
        }
    }
    let mut producer = Producer::start(&mesh, CHANNELS[0], "p");
    producer.feed(2_000);
    producer.wait_acknowledged(500);
    assert_eq!(planned(&mesh), 2, "n1 leads all three");
    assert_eq!(CHANNELS.map(|channel| mesh.leader_of(channel)), [0; 3]);
    let applied = mesh.run(&["rebalance", "--apply"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let mut leaders = CHANNELS.map(|channel| mesh.leader_of(channel));
    leaders.sort_unstable();
    assert_eq!(leaders, [0, 1, 2]);
    assert_eq!(planned(&mesh), 0);
    producer.feed(500);
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNELS[0], &payloads);
}
