//! Bad input over real sockets: one clear error, a count where a server saw it, and nothing else.

use std::net::UdpSocket;

use tetrarch_tests::{Mesh, MeshOptions, Producer, Signal, eventually};

const CHANNEL: &str = "orders";

/// What is published now is on every node, and nothing else is.
fn goes_on(mesh: &mut Mesh) {
    let mut producer = Producer::start(mesh, CHANNEL, "p");
    producer.feed(100);
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}

#[test]
fn a_client_of_another_authority_is_refused_and_counted() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let other = Mesh::init(&MeshOptions::default());
    let addresses = mesh.dir().join("client/client.toml");
    std::fs::copy(addresses, other.dir().join("client/client.toml")).expect("it can be copied");
    let refused = other.run(&["status", "--timeout", "5"]);
    assert!([Some(4), Some(5)].contains(&refused.code), "{refused:?}");
    assert!(refused.stderr.contains("certificate"), "{refused:?}");
    eventually("a node has counted it", || {
        let counted = "tetrarch_handshakes_refused_total{reason=\"unknown_ca\"}";
        mesh.nodes.iter().any(|node| node.metric(counted) > 0.0)
    });
    goes_on(&mut mesh);
}

#[test]
fn datagrams_of_random_bytes_change_nothing() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("there is a port");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..3_000 {
        let bytes: Vec<u8> = (0..1_200)
            .map(|_| {
                // xorshift64*: the same bytes in every run.
                state ^= state >> 12;
                state ^= state << 25;
                state ^= state >> 27;
                state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()[7]
            })
            .collect();
        let node = &mesh.nodes[round % mesh.nodes.len()];
        // A full buffer on the way drops the datagram, as it may.
        if let Err(error) = socket.send_to(&bytes, node.address) {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
        }
    }
    let leader = mesh.leader_of(CHANNEL);
    let role = format!("tetrarch_channel_role{{channel=\"{CHANNEL}\",role=\"Leader\"}}");
    assert!(mesh.nodes[leader].metric(&role) > 0.0);
    goes_on(&mut mesh);
}

#[test]
fn a_channel_that_does_not_exist_is_named_and_counted() {
    let mut mesh = Mesh::start();
    mesh.create_channel(CHANNEL);
    let refused = mesh.run(&["sub", "absent"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("absent"), "{refused:?}");
    eventually("a node has counted it", || {
        let counted = "tetrarch_requests_refused_total{reason=\"unknown_channel\"}";
        mesh.nodes.iter().any(|node| node.metric(counted) > 0.0)
    });
    goes_on(&mut mesh);
}

#[test]
fn a_node_whose_queue_is_full_says_so_and_takes_everything_in_the_end() {
    let mut mesh = Mesh::start_with(&MeshOptions {
        environment: vec![
            ("TETRARCH_LIMITS_CHANNEL_UNACKED_BYTES", "2MiB"),
            ("TETRARCH_LIMITS_NODE_UNACKED_BYTES", "2MiB"),
            // So long a leader leads on without its followers, which must be longer than a slow
            // machine takes to fill its queue.
            ("TETRARCH_TIMING_ELECTION_TIMEOUT_MS", "8000"),
        ],
        ..MeshOptions::default()
    });
    mesh.create_channel(CHANNEL);
    let leader = mesh.leader_of(CHANNEL);
    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", 500_000);
    producer.feed(1);
    producer.wait_acknowledged(1);
    // Without its followers nothing is acknowledged, so what the leader takes stays in its queue.
    let followers: Vec<usize> = (0..3).filter(|node| *node != leader).collect();
    for follower in &followers {
        mesh.nodes[*follower].signal(Signal::Stop);
    }
    producer.feed(20);
    eventually("the queue was full", || {
        let counted = "tetrarch_produce_requests_total{code=\"retry_queue_full\"}";
        mesh.nodes[leader].metric(counted) > 0.0
    });
    for follower in &followers {
        mesh.nodes[*follower].signal(Signal::Continue);
    }
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}
