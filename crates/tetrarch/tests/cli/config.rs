//! `tetrarch config`.

use std::fs;

use super::run::tetrarch;

#[test]
fn all_mistakes_are_told_at_once_with_their_places_and_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[node]\nname = \"n1\"\n\n[listen]\naddres = \"h:1\"\n\n[timing]\nmissed = 0\n";
    fs::write(dir.path().join("node.toml"), text).unwrap();
    let ran = tetrarch(dir.path(), &["config", "check", "node.toml"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.out, "");
    for expected in [
        "error: node.toml is refused, 3 problems:",
        "node.toml:4:2: `listen.address` is missing",
        "node.toml:5:1: unknown key `addres` in [listen]; did you mean `address`?",
        "node.toml:8:10: `timing.missed` is 0, but must be from 2 to 20",
        "\nhint: ",
    ] {
        assert!(ran.err.contains(expected), "{expected}\n{}", ran.err);
    }
}

#[test]
fn a_missing_file_is_named_with_the_cause() {
    let dir = tempfile::tempdir().unwrap();
    let ran = tetrarch(dir.path(), &["config", "check", "absent.toml"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("absent.toml"), "{}", ran.err);
    assert!(ran.err.contains("No such file"), "{}", ran.err);
}

#[test]
fn what_init_writes_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    tetrarch(dir.path(), &["init", "m", "--node", "a=127.0.0.1:1"]).ok();
    tetrarch(dir.path(), &["config", "check", "m/a/node.toml"]).ok();
}
