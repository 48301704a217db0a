//! Channels move to other nodes while events are published, and nothing is lost, repeated or moved.

use tetrarch_tests::{Mesh, MeshOptions, Producer, eventually};

const CHANNEL: &str = "orders";

fn mesh_of(nodes: usize) -> Mesh {
    let mesh = Mesh::start_with(&MeshOptions {
        nodes,
        ..MeshOptions::default()
    });
    mesh.create_channel(CHANNEL);
    mesh
}

/// The node that does not hold the channel.
fn spare(mesh: &Mesh) -> usize {
    let holders = mesh.holders_of(CHANNEL);
    let mut others = (0..mesh.nodes.len()).filter(|node| !holders.contains(node));
    others.next().expect("one node does not hold it")
}

fn transitions(mesh: &Mesh, node: usize, from: &str, signal: &str) -> f64 {
    let series =
        format!("tetrarch_transitions_total{{from=\"{from}\",to=\"Idle\",signal=\"{signal}\"}}");
    mesh.nodes[node].metric(&series)
}

fn check(mesh: &Mesh, holders: &[usize], payloads: &[String]) {
    assert_eq!(mesh.holders_of(CHANNEL), holders);
    for node in holders {
        let told = mesh.read_back(*node, CHANNEL, payloads.len());
        assert!(told == payloads, "n{} tells another story", node + 1);
    }
}

#[test]
fn a_replica_is_exchanged_under_load() {
    let mesh = mesh_of(4);
    let (leader, spare) = (mesh.leader_of(CHANNEL), spare(&mesh));
    let mut stays = mesh.holders_of(CHANNEL);
    let goes = *stays.iter().find(|node| **node != leader).unwrap();
    stays.retain(|node| *node != goes);
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(20_000);
    producer.wait_acknowledged(5_000);
    let mut wanted = [stays, vec![spare]].concat();
    mesh.move_channel(CHANNEL, &wanted);
    producer.feed(5_000);
    let (payloads, _) = producer.finish();
    wanted.sort_unstable();
    check(&mesh, &wanted, &payloads);
    eventually("the node that was taken out has let go of it", || {
        transitions(&mesh, goes, "Replica", "PlacementDeselected") > 0.0
    });
}

#[test]
fn the_leader_is_moved_away_and_hands_over() {
    let mesh = mesh_of(4);
    let (leader, spare) = (mesh.leader_of(CHANNEL), spare(&mesh));
    let mut wanted = mesh.holders_of(CHANNEL);
    wanted.retain(|node| *node != leader);
    wanted.push(spare);
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(20_000);
    producer.wait_acknowledged(5_000);
    mesh.move_channel(CHANNEL, &wanted);
    producer.feed(5_000);
    let (payloads, _) = producer.finish();
    wanted.sort_unstable();
    check(&mesh, &wanted, &payloads);
    assert!(transitions(&mesh, leader, "Leader", "PlacementDeselected") > 0.0);
}

/// All that held the channel when the consumer came let go of it.
#[test]
fn a_consumer_goes_on_where_the_channel_is() {
    const EVENTS: u64 = 2_000;
    let mesh = mesh_of(4);
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(EVENTS / 2);
    producer.wait_acknowledged(EVENTS / 2);
    let count = EVENTS.to_string();
    let (read, payloads) = std::thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let arguments = ["--from", "start", "--count", &count, "--json"];
            mesh.run(&[&["sub", CHANNEL][..], &arguments].concat())
        });
        let served = format!("tetrarch_subscriptions{{channel=\"{CHANNEL}\"}}");
        eventually("the consumer is served", || {
            mesh.nodes.iter().any(|node| node.metric(&served) > 0.0)
        });
        mesh.move_channel(CHANNEL, &[spare(&mesh)]);
        producer.feed(EVENTS / 2);
        let (payloads, _) = producer.finish();
        (consumer.join().expect("the consumer ends"), payloads)
    });
    let lines = read.expect_success("reading on");
    let told: Vec<String> = lines.lines().map(payload_of).collect();
    assert!(told == payloads, "the consumer was told another story");
}

fn payload_of(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).expect("an event is JSON");
    event["payload"].as_str().expect("it is text").to_owned()
}

/// Two of three are exchanged, the leader among them, and it is killed on the way.
#[test]
fn a_move_survives_the_death_of_its_leader() {
    let mut mesh = mesh_of(5);
    let holders = mesh.holders_of(CHANNEL);
    let leader = mesh.leader_of(CHANNEL);
    let stays = *holders.iter().find(|node| **node != leader).unwrap();
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(50_000);
    producer.wait_acknowledged(5_000);
    let is_wanted = |node: &usize| !holders.contains(node) || *node == stays;
    let wanted: Vec<usize> = (0..5).filter(is_wanted).collect();
    let names: Vec<&str> = wanted.iter().map(|node| &*mesh.nodes[*node].name).collect();
    let ordered = mesh.run(&[
        "channel",
        "move",
        CHANNEL,
        "--no-wait",
        "--to",
        &names.join(","),
    ]);
    assert_eq!(ordered.code, Some(0), "{}", ordered.stderr);
    mesh.nodes[leader].kill();
    mesh.nodes[leader].start();
    eventually("the move is complete", || {
        mesh.holders_of(CHANNEL) == wanted
    });
    producer.feed(5_000);
    let (payloads, _) = producer.finish();
    mesh.wait_ready();
    check(&mesh, &wanted, &payloads);
}

/// It receives the log anew, be it after a start or at once after it has let go.
#[test]
fn a_node_that_let_go_of_a_channel_takes_it_up_again() {
    let mut mesh = mesh_of(4);
    let (leader, spare) = (mesh.leader_of(CHANNEL), spare(&mesh));
    let first = mesh.holders_of(CHANNEL);
    let goes = *first.iter().find(|node| **node != leader).unwrap();
    let is_first = |node: &usize| *node != goes && first.contains(node);
    let second: Vec<usize> = (0..4)
        .filter(|node| is_first(node) || *node == spare)
        .collect();
    let mut producer = Producer::start(&mesh, CHANNEL, "p");
    producer.feed(20_000);
    producer.wait_acknowledged(5_000);
    mesh.move_channel(CHANNEL, &second);
    eventually("the node that was taken out has let go of it", || {
        transitions(&mesh, goes, "Replica", "PlacementDeselected") > 0.0
    });
    mesh.nodes[goes].kill();
    producer.feed(5_000);
    mesh.nodes[goes].start();
    mesh.wait_ready();
    for holders in [&first, &second, &first] {
        mesh.move_channel(CHANNEL, holders);
        producer.feed(2_000);
    }
    mesh.nodes[goes].kill();
    mesh.nodes[goes].start();
    let (payloads, _) = producer.finish();
    mesh.wait_ready();
    check(&mesh, &first, &payloads);
}

/// Where each event of a producer is that has not been dropped yet.
fn kept(producer: Producer, log_start: u64) -> Vec<(u64, String)> {
    let (payloads, runs) = producer.finish();
    let places = runs.iter().flat_map(|run| run.first..=run.last);
    let placed = places.zip(payloads);
    placed.filter(|(seq, _)| *seq >= log_start).collect()
}

/// A producer whose events have all been dropped goes on with the next number: the node that came knows it
/// by what it was given in place of them, also after it was killed.
#[test]
fn a_channel_whose_beginning_is_gone_moves_and_its_producers_are_known() {
    let mut mesh = Mesh::start_with(&MeshOptions {
        nodes: 4,
        environment: vec![
            ("TETRARCH_STORAGE_SEGMENT_BYTES", "1MiB"),
            ("TETRARCH_STORAGE_FLUSH_TRIGGER_BYTES", "1MiB"),
        ],
    });
    let create = ["channel", "create", CHANNEL, "--replicas", "3"];
    let created = mesh.run(&[&create[..], &["--max-bytes", "2MiB"]].concat());
    assert_eq!(created.code, Some(0), "{}", created.stderr);
    let leader = mesh.leader_of(CHANNEL);
    let log_start = format!("tetrarch_channel_log_start_seq{{channel=\"{CHANNEL}\"}}");
    let mut quiet = Producer::start(&mesh, CHANNEL, "q");
    quiet.feed(100);
    quiet.wait_acknowledged(100);
    let mut loud = Producer::start_padded(&mesh, CHANNEL, "p", 1_000);
    loud.feed(8_000);
    loud.wait_acknowledged(8_000);
    eventually("retention has dropped what the quiet one said", || {
        mesh.nodes[leader].metric(&log_start) > 1_000.0
    });
    let keep = ["channel", "alter", CHANNEL, "--max-bytes", "1GiB"];
    assert_eq!(mesh.run(&keep).code, Some(0));
    let comes = spare(&mesh);
    mesh.move_channel(CHANNEL, &[comes]);
    quiet.feed(10);
    loud.feed(100);
    quiet.wait_acknowledged(110);
    mesh.nodes[comes].kill();
    mesh.nodes[comes].start();
    mesh.wait_ready();
    quiet.feed(10);
    loud.feed(100);
    quiet.wait_acknowledged(120);
    loud.wait_acknowledged(8_200);
    // One that held the whole log and let go of it is given what there still is.
    let mut holders = [comes, leader];
    holders.sort_unstable();
    mesh.move_channel(CHANNEL, &holders);
    quiet.feed(10);
    quiet.wait_acknowledged(130);
    let first = mesh.nodes[comes].metric(&log_start);
    assert!(first > 1_000.0, "it begins at {first}");
    let first = format!("{first:.0}").parse().expect("a seq is a number");
    let mut expected = [kept(quiet, first), kept(loud, first)].concat();
    expected.sort_unstable();
    let payloads: Vec<String> = expected.into_iter().map(|(_, payload)| payload).collect();
    check(&mesh, &holders, &payloads);
}

#[test]
fn a_move_that_cannot_be_is_refused_and_changes_nothing() {
    let mut mesh = mesh_of(4);
    let before = mesh.holders_of(CHANNEL);
    let unknown = mesh.run(&["channel", "move", CHANNEL, "--to", "n1,n9"]);
    assert_eq!(unknown.code, Some(5), "{unknown:?}");
    assert!(unknown.stderr.contains("n9"), "{}", unknown.stderr);
    let twice = mesh.run(&["channel", "move", CHANNEL, "--to", "n1,n1"]);
    assert_ne!(twice.code, Some(0), "{twice:?}");
    let absent = spare(&mesh);
    mesh.nodes[absent].kill();
    let name = mesh.nodes[absent].name.clone();
    let connected = "tetrarch_connections{kind=\"peer\"}";
    eventually("the others have noticed", || {
        let mut others = (0..4).filter(|node| *node != absent);
        others.all(|node| mesh.nodes[node].metric(connected) < 3.0)
    });
    let refused = mesh.run(&["channel", "move", CHANNEL, "--no-wait", "--to", &name]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert!(
        refused.stderr.contains("not connected"),
        "{}",
        refused.stderr
    );
    assert_eq!(mesh.holders_of(CHANNEL), before);
}
