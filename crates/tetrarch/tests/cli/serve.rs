//! `tetrarch serve`: what keeps a node from starting, and how one stops.

use std::fs;
use std::net::UdpSocket;

use super::mesh::{Mesh, eventually};

#[test]
fn sigterm_ends_a_node_in_good_order_and_what_it_held_is_there_again() {
    let mut mesh = Mesh::start(1);
    mesh.feed(&["pub", "probe"], b"kept\n").ok();
    let node = mesh.nodes.remove(0);
    node.signal("-TERM");
    assert_eq!(node.wait(), 0);
    assert!(mesh.log("n1").contains("stopped"), "{}", mesh.log("n1"));
    mesh.nodes.push(mesh.serve("n1"));
    assert_eq!(mesh.run(&["sub", "probe", "--count", "1"]).ok(), "kept\n");
}

#[test]
fn sighup_takes_up_a_renewed_certificate_and_keeps_the_old_one_if_it_is_no_good() {
    let mesh = Mesh::start(1);
    mesh.run(&["cert", "node", "n1"]).ok();
    mesh.nodes[0].signal("-HUP");
    eventually(|| {
        mesh.log("n1")
            .contains("certificates taken up")
            .then_some(())
    });
    mesh.run(&["status"]).ok();
    fs::write(mesh.path("n1/node.key"), "no key").unwrap();
    mesh.nodes[0].signal("-HUP");
    eventually(|| mesh.log("n1").contains("the old ones stay").then_some(()));
    mesh.run(&["status"]).ok();
}

#[test]
fn a_data_directory_that_is_not_formatted_is_not_formatted_now() {
    let mesh = Mesh::found(1);
    fs::remove_dir_all(mesh.path("n1/data")).unwrap();
    let ran = mesh.serve_in_vain("n1", &[]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("is not formatted"), "{}", ran.err);
    assert!(!mesh.path("n1/data/wal").exists());
}

#[test]
fn the_data_directory_of_another_node_is_refused_by_both_names() {
    let mesh = Mesh::found(2);
    let other = mesh.path("n2/data").display().to_string();
    let ran = mesh.serve_in_vain("n1", &[("TETRARCH_NODE_DATA_DIR", &other)]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(
        ran.err.contains("n2") && ran.err.contains("n1"),
        "{}",
        ran.err
    );
}

#[test]
fn a_second_process_on_the_same_data_directory_is_refused() {
    let mesh = Mesh::start(1);
    let elsewhere = [("TETRARCH_LISTEN_ADDRESS", "127.0.0.1:0")];
    assert_eq!(
        mesh.serve_in_vain("n1", &elsewhere).code,
        3,
        "port 0 is refused"
    );
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let ran = mesh.serve_in_vain("n1", &[("TETRARCH_LISTEN_ADDRESS", &port)]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("in use by another process"), "{}", ran.err);
    mesh.run(&["status"]).ok();
}

#[test]
fn a_port_in_use_is_named() {
    let mesh = Mesh::found(1);
    let held = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let ran = mesh.serve_in_vain("n1", &[("TETRARCH_LISTEN_ADDRESS", &address)]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains(&address), "{}", ran.err);
    assert!(ran.err.contains("in use"), "{}", ran.err);
}

#[test]
fn a_certificate_of_somebody_else_is_refused_by_both_names() {
    let mesh = Mesh::found(2);
    let (cert, key) = (mesh.path("n2/node.pem"), mesh.path("n2/node.key"));
    let theirs = [
        ("TETRARCH_TLS_CERT", cert.to_str().unwrap()),
        ("TETRARCH_TLS_KEY", key.to_str().unwrap()),
    ];
    let ran = mesh.serve_in_vain("n1", &theirs);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(
        ran.err.contains("/node/n2") && ran.err.contains("node n1"),
        "{}",
        ran.err
    );

    let mixed = mesh.serve_in_vain("n1", &theirs[..1]);
    assert_eq!(mixed.code, 3, "{}", mixed.err);
    assert!(mixed.err.contains("node.key"), "{}", mixed.err);
}

#[test]
fn a_client_of_another_mesh_is_refused_and_the_mesh_goes_on() {
    let (mesh, other) = (Mesh::start(1), Mesh::found(1));
    let ours = fs::read_to_string(mesh.path("client/client.toml")).unwrap();
    fs::write(other.path("client/client.toml"), ours).unwrap();
    let ran = other.run(&["status", "--timeout", "5"]);
    assert!([4, 5].contains(&ran.code), "{}: {}", ran.code, ran.err);
    assert!(ran.err.contains("certificate"), "{}", ran.err);
    mesh.run(&["status"]).ok();
}
