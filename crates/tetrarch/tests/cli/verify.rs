//! `tetrarch verify` and `format`.

use std::fs;

use super::mesh::{Mesh, rot};

#[test]
fn an_intact_store_is_told_from_one_that_is_open_or_damaged() {
    let mut mesh = Mesh::start(1);
    let many: String = (0..20_000)
        .map(|number| format!("event {number}\n"))
        .collect();
    mesh.feed(&["pub", "probe"], many.as_bytes()).ok();
    let data = mesh.path("n1/data");
    let data = data.to_str().unwrap();
    let open = mesh.run(&["verify", data]);
    assert_eq!(open.code, 3);
    assert!(open.err.contains("in use"), "{}", open.err);

    let node = mesh.nodes.remove(0);
    node.signal("-TERM");
    assert_eq!(node.wait(), 0);
    let report = mesh.json(&["verify", data, "--json"]);
    assert_eq!(
        (&report["intact"], &report["node"]),
        (&true.into(), &"n1".into())
    );
    assert!(report["batches"].as_u64().unwrap() > 0, "{report}");

    let is_segment = |path: &std::path::Path| {
        path.extension().is_some_and(|ending| ending == "log")
            && fs::metadata(path).unwrap().len() > 100_000
    };
    let segment = walk(&mesh.path("n1/data"))
        .into_iter()
        .find(|path| is_segment(path));
    rot(&segment.expect("a segment of that size"));
    let damaged = mesh.run(&["verify", data, "--json"]);
    assert_eq!(damaged.code, 6, "{}", damaged.err);
    let report: serde_json::Value = serde_json::from_str(&damaged.out).unwrap();
    assert_eq!(report["intact"], false);
    assert_eq!(report["findings"][0]["loss"], true, "{report}");
}

#[test]
fn a_later_node_is_formatted_once_and_only_on_purpose() {
    let mesh = Mesh::found(1);
    mesh.run(&["cert", "node", "n2", "--address", "127.0.0.1:7199"])
        .ok();
    let config = "mesh/n2/node.toml";
    assert_eq!(
        mesh.run(&["format", "--config", config]).code,
        2,
        "without --join"
    );
    mesh.run(&["format", "--join", "--config", config]).ok();
    let report = mesh.json(&["verify", "mesh/n2/data", "--json"]);
    assert_eq!(report["node"], "n2");
    let again = mesh.run(&["format", "--join", "--config", config]);
    assert_eq!(again.code, 3);
    assert!(again.err.contains("holds a store already"), "{}", again.err);
    assert_eq!(mesh.run(&["verify", "mesh/nowhere"]).code, 3);
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}
