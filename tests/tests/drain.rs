//! A node is emptied of its channels while events are published, and nothing is lost, repeated or moved.

use serde_json::Value;
use tetrarch_tests::{Mesh, MeshOptions, Producer, eventually};

const CHANNELS: [&str; 3] = ["orders", "payments", "telemetry"];

fn mesh_of(nodes: usize) -> Mesh {
    let mesh = Mesh::start_with(&MeshOptions {
        nodes,
        ..MeshOptions::default()
    });
    for channel in CHANNELS {
        mesh.create_channel(channel);
    }
    mesh
}

fn done(mesh: &Mesh, command: &[&str]) {
    let output = mesh.run(command);
    assert_eq!(output.code, Some(0), "{command:?}: {output:?}");
}

fn is_shown_as_drained(mesh: &Mesh, node: usize) -> bool {
    let output = mesh.run(&["status", "--json"]);
    let status: Value = serde_json::from_str(&output.stdout).expect("it prints JSON");
    let nodes = status["nodes"].as_array().expect("it names the nodes");
    let shown = nodes
        .iter()
        .find(|shown| shown["name"] == mesh.nodes[node].name);
    shown.expect("it is one of them")["drained"] == true
}

#[test]
fn every_channel_leaves_a_drained_node_and_comes_back_only_by_order() {
    let mesh = mesh_of(4);
    let goes = mesh.leader_of(CHANNELS[0]);
    let name = mesh.nodes[goes].name.clone();
    let mut producer = Producer::start(&mesh, CHANNELS[0], "p");
    producer.feed(20_000);
    producer.wait_acknowledged(5_000);
    done(&mesh, &["node", "drain", &name]);
    producer.feed(5_000);
    let (payloads, _) = producer.finish();
    let others: Vec<usize> = (0..4).filter(|node| *node != goes).collect();
    for channel in CHANNELS {
        assert_eq!(mesh.holders_of(channel), others, "{channel}");
    }
    for node in &others {
        assert!(mesh.read_back(*node, CHANNELS[0], payloads.len()) == payloads);
    }
    mesh.create_channel("later");
    assert_eq!(mesh.holders_of("later"), others);
    let back: Vec<&str> = [goes, others[0], others[1]]
        .map(|node| mesh.nodes[node].name.as_str())
        .into();
    let back = back.join(",");
    let refused = mesh.run(&["channel", "move", CHANNELS[0], "--to", &back]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("is drained"), "{refused:?}");
    done(&mesh, &["node", "undrain", &name]);
    eventually("it may hold channels again", || {
        !is_shown_as_drained(&mesh, goes)
    });
    done(&mesh, &["channel", "move", CHANNELS[0], "--to", &back]);
    assert!(mesh.holders_of(CHANNELS[0]).contains(&goes));
}

#[test]
fn where_nobody_else_can_hold_a_channel_it_stays_until_somebody_can() {
    let mesh = mesh_of(3);
    let class = ["--class", "available", "--replicas", "3"];
    done(
        &mesh,
        &[&["channel", "create", "sensors"][..], &class].concat(),
    );
    done(&mesh, &["node", "drain", "n2", "--no-wait"]);
    eventually("it is drained", || is_shown_as_drained(&mesh, 1));
    eventually("the leader of the catalog says why nothing moves", || {
        let logs = mesh.nodes.iter().map(|node| node.log());
        let logs: String = logs.collect();
        let said = logs
            .lines()
            .filter(|line| line.contains("a channel cannot leave a node"));
        let said: Vec<&str> = said.collect();
        let is_said = |why: &str| said.iter().any(|line| line.contains(why));
        is_said("nodes are needed") && is_said("class available cannot be moved")
    });
    for channel in CHANNELS {
        assert_eq!(mesh.holders_of(channel), [0, 1, 2], "{channel}");
    }
    let refused = mesh.run(&["channel", "create", "later", "--replicas", "3"]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("1 are drained"), "{refused:?}");
    done(&mesh, &["node", "undrain", "n2"]);
    mesh.create_channel("later");
}
