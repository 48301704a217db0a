//! Many events, large events, many channels.

use std::io::Write;

use tetrarch_tests::{Mesh, MeshOptions, Producer, eventually, numbered};

#[test]
fn a_node_that_missed_200_000_events_catches_up() {
    let mut mesh = Mesh::start();
    mesh.create_channel("orders");
    let behind = (mesh.leader_of("orders") + 1) % 3;
    mesh.nodes[behind].kill();
    let mut producer = Producer::start(&mesh, "orders", "p");
    for _ in 0..20 {
        producer.feed(10_000);
    }
    let (payloads, _) = producer.finish();
    mesh.nodes[behind].start();
    mesh.wait_ready();
    let told = mesh.read_back(behind, "orders", payloads.len());
    assert_eq!(told, payloads);
}

#[test]
fn an_event_of_900_kib_arrives_whole() {
    let mut mesh = Mesh::start();
    mesh.create_channel("large");
    let event = "0123456789abcdef".repeat(900 * 1024 / 16);
    let path = mesh.scratch().join("large.txt");
    let mut file = std::fs::File::create(&path).expect("the file can be made");
    writeln!(file, "{event}").expect("the file can be written");
    let published = mesh.run(&["pub", "large", "--file", &path.display().to_string()]);
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    mesh.check_every_node("large", &[event]);
}

/// More waits for a leader than a file of its write-ahead log holds.
#[test]
fn a_write_ahead_log_of_small_files_takes_a_flood_of_large_events() {
    let mut mesh = Mesh::start_with(&MeshOptions {
        environment: vec![("TETRARCH_STORAGE_WAL_FILE_BYTES", "2MiB")],
        ..MeshOptions::default()
    });
    mesh.create_channel("large");
    let mut producers: Vec<Producer> = (0..12)
        .map(|index| Producer::start_padded(&mesh, "large", &format!("p{index}"), 800 * 1024))
        .collect();
    for producer in &mut producers {
        producer.feed(4);
    }
    for producer in &mut producers {
        producer.wait_acknowledged(4);
    }
    mesh.wait_ready();
    for node in &mut mesh.nodes {
        assert!(node.is_running(), "{}", node.log());
    }
}

#[test]
fn an_event_over_the_limit_is_refused_and_nothing_else_happens() {
    let mut mesh = Mesh::start();
    mesh.create_channel("large");
    let path = mesh.scratch().join("too-large.txt");
    std::fs::write(&path, "x".repeat(1024 * 1024 + 1)).expect("the file can be written");
    let refused = mesh.run(&["pub", "large", "--file", &path.display().to_string()]);
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("a line has more than"),
        "{}",
        refused.stderr
    );
    let mut producer = Producer::start(&mesh, "large", "p");
    producer.feed(1);
    let (payloads, _) = producer.finish();
    mesh.check_every_node("large", &payloads);
}

#[test]
fn a_hundred_channels_each_keep_their_own_events() {
    let mesh = Mesh::start();
    let names: Vec<String> = (0..100)
        .map(|index| format!("channel-{index:03}"))
        .collect();
    for name in &names {
        let created = mesh.run(&["channel", "create", name, "--replicas", "3"]);
        assert_eq!(created.code, Some(0), "{}", created.stderr);
    }
    for name in &names {
        let mut producer = Producer::start(&mesh, name, name);
        producer.feed(20);
        let (payloads, _) = producer.finish();
        assert_eq!(payloads.len(), 20);
    }
    for (index, name) in names.iter().enumerate() {
        let told = mesh.read_back(index % 3, name, 20);
        let expected: Vec<String> = (1..=20).map(|number| numbered(name, number)).collect();
        assert_eq!(told, expected);
    }
    eventually("leaders are spread over the nodes", || {
        (0..3).all(|node| {
            names.iter().any(|name| {
                let series = format!("tetrarch_channel_role{{channel=\"{name}\",role=\"Leader\"}}");
                mesh.nodes[node].metric(&series) > 0.0
            })
        })
    });
}
