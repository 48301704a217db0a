//! `tetrarch channel`, `pub`, `sub` and `status`, in the shapes that scripts rely on.

use serde_json::{Value, json};

use super::mesh::{Mesh, eventually};

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_is_published_is_read_back_in_the_promised_shapes() {
    let mesh = Mesh::start(3);
    let created = mesh.json(&["channel", "create", "orders", "--json"]);
    assert_eq!(
        (&created["name"], &created["class"]),
        (&json!("orders"), &json!("quorum"))
    );

    let acked = mesh
        .feed(&["pub", "orders", "--json"], "one\ntwo\n\nfour".as_bytes())
        .ok();
    let acked = lines(&acked);
    let count: u64 = acked
        .iter()
        .map(|ack| ack["last_seq"].as_u64().unwrap() - ack["first_seq"].as_u64().unwrap() + 1)
        .sum();
    assert_eq!(count, 4);
    assert!(
        acked.iter().all(|ack| ack["copies"].as_u64().unwrap() >= 2),
        "{acked:?}"
    );
    assert!(
        acked.iter().all(|ack| ack["epoch"].as_u64().unwrap() >= 1),
        "{acked:?}"
    );

    assert_eq!(mesh.run(&["sub", "orders"]).ok(), "one\ntwo\n\nfour\n");
    for node in ["n1", "n2", "n3"] {
        let read = mesh
            .run(&["sub", "orders", "--node", node, "--count", "4"])
            .ok();
        assert_eq!(read, "one\ntwo\n\nfour\n", "{node}");
    }

    let events = lines(&mesh.run(&["sub", "orders", "--json"]).ok());
    let first = acked[0]["first_seq"].as_u64().unwrap();
    let seqs: Vec<_> = events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [first, first + 1, first + 2, first + 3]);
    assert_eq!(events[1]["payload"], "two");
    assert_eq!(events[1]["channel"], "orders");
    assert!(events[1]["ts_ms"].as_u64().unwrap() > 1_600_000_000_000);
    let second = (first + 1).to_string();
    let from = mesh
        .run(&["sub", "orders", "--from", &second, "--count", "2"])
        .ok();
    assert_eq!(from, "two\n\n");
}

#[test]
fn binary_events_keep_every_byte() {
    let mesh = Mesh::start(1);
    let framed = b"\x03\0\0\0a\nb\x02\0\0\0\xff\0\0\0\0\0";
    mesh.feed(&["pub", "probe", "--framed"], framed).ok();
    let events = lines(&mesh.run(&["sub", "probe", "--json"]).ok());
    assert_eq!(events[0]["payload"], "a\nb");
    assert_eq!(events[1]["payload_base64"], "/wA=");
    assert!(events[1].get("payload").is_none());
    assert_eq!(events[2]["payload"], "");
    let cut = mesh.feed(&["pub", "probe", "--framed"], b"\x09\0\0\0abc");
    assert_eq!(cut.code, 1);
    assert!(
        cut.err.contains("cannot read standard input"),
        "{}",
        cut.err
    );
}

#[test]
fn the_status_of_three_nodes_is_one_picture() {
    let mesh = Mesh::start(3);
    mesh.feed(&["pub", "probe"], b"x\n").ok();
    let status = eventually(|| {
        let status = mesh.json(&["status", "--json"]);
        let roles: Vec<_> = status["channels"][0]["replicas"]
            .as_array()?
            .iter()
            .map(|replica| replica["role"].as_str().unwrap_or("?").to_owned())
            .collect();
        let of = |role: &str| roles.iter().filter(|known| *known == role).count();
        (of("Leader") == 1 && of("Replica") == 2).then_some(status)
    });
    let nodes = status["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        assert_eq!(node["alive"], true);
        assert_eq!(node["id"].as_str().unwrap().len(), 32);
        assert!(node["disk_level"].is_string(), "{node}");
    }
    let channel = &status["channels"][0];
    assert_eq!(channel["name"], "probe");
    assert!(channel["epoch"].as_u64().unwrap() >= 1);
    assert!(channel["tail"].as_u64() >= channel["commit"].as_u64());
    let leader = channel["leader"].as_str().unwrap();
    let rows = channel["replicas"].as_array().unwrap();
    let leading = rows.iter().find(|row| row["role"] == "Leader").unwrap();
    assert_eq!(leading["node"], leader);
    for key in ["tail", "lag_events", "lag_ms"] {
        assert!(leading.get(key).is_some(), "{key}: {leading}");
    }
    let table = mesh.run(&["status"]).ok();
    assert!(table.contains(&format!("{leader}:Leader")), "{table}");
}

#[test]
fn channels_are_altered_handed_over_and_deleted() {
    let mesh = Mesh::start(3);
    let retention =
        |mesh: &Mesh| mesh.json(&["channel", "show", "probe", "--json"])["retention"].clone();
    mesh.run(&[
        "channel",
        "alter",
        "probe",
        "--max-age",
        "7d",
        "--max-events",
        "1000",
    ])
    .ok();
    mesh.run(&[
        "channel",
        "alter",
        "probe",
        "--max-age",
        "none",
        "--max-bytes",
        "1GiB",
    ])
    .ok();
    let expected = json!({"max_age_ms": null, "max_bytes": 1 << 30, "max_events": 1000});
    eventually(|| (retention(&mesh) == expected).then_some(()));
    assert_eq!(mesh.run(&["channel", "alter", "probe"]).code, 2);

    let leader = |mesh: &Mesh| {
        let shown = mesh.json(&["channel", "show", "probe", "--json"]);
        shown["leader"].as_str().map(str::to_owned)
    };
    let before = eventually(|| leader(&mesh));
    mesh.run(&["channel", "relinquish", "probe"]).ok();
    eventually(|| leader(&mesh).filter(|now| *now != before));
    mesh.feed(&["pub", "probe"], b"after\n").ok();

    let listed = mesh.json(&["channel", "list", "--json"]);
    assert_eq!(listed["channels"][0]["name"], "probe");
    mesh.run(&["channel", "delete", "probe"]).ok();
    let listed = mesh.json(&["channel", "list", "--json"]);
    assert_eq!(listed["channels"], json!([]));
}

#[test]
fn refusals_name_the_cause_and_have_their_own_exit_code() {
    let mesh = Mesh::start(1);
    let again = mesh.run(&["channel", "create", "probe"]);
    assert_eq!(again.code, 5);
    assert!(again.err.contains("probe"), "{}", again.err);
    for args in [
        &["channel", "create", "or ders"][..],
        &["channel", "create", "wide", "--replicas", "3"],
        &["channel", "show", "absent"],
        &["channel", "delete", "absent"],
        &["sub", "absent"],
        &["pub", "absent"],
        &["sub", "probe", "--node", "n9"],
    ] {
        let ran = mesh.feed(args, b"x\n");
        assert_eq!(ran.code, 5, "{args:?}: {}", ran.err);
        assert!(ran.err.starts_with("error: "), "{}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
    }
    let huge = vec![b'x'; 1 << 20];
    let ran = mesh.feed(&["pub", "probe"], &huge);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("a line has more than"), "{}", ran.err);
    assert_eq!(
        mesh.run(&["sub", "probe"]).ok(),
        "",
        "nothing of all this was published"
    );
}

#[test]
fn nobody_to_talk_to_is_unreachable() {
    let mesh = Mesh::found(1);
    let ran = mesh.run(&["status", "--timeout", "1"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
}
