//! What is accepted, what is refused, and with which words.

use super::problem::Origin;
use super::*;

const GOOD: &str = "\
[node]
name = \"n1\"
labels = { zone = \"a\" }

[listen]
address = \"127.0.0.1:7101\"

[peers]
n2 = \"127.0.0.1:7102\"
";

fn read(text: &str) -> Result<NodeFile, Vec<Problem>> {
    read_with(text, &[])
}

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<NodeFile, Vec<Problem>> {
    let environment = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    parse(text, PathBuf::from("/etc/tetrarch"), &environment)
}

fn refused(text: &str) -> Vec<String> {
    let problems = read(text).unwrap_err();
    let refusal = Refusal {
        file: "f".into(),
        problems,
    };
    refusal
        .to_string()
        .lines()
        .skip(1)
        .map(|line| line.trim().to_owned())
        .collect()
}

#[test]
fn a_file_without_settings_of_its_own_gets_the_defaults() {
    let file = read(GOOD).unwrap();
    assert_eq!(file.node.data_dir, PathBuf::from("/etc/tetrarch/data"));
    assert_eq!(file.node.labels, [("zone".to_owned(), "a".to_owned())]);
    assert_eq!(file.peers[0].1.port, 7102);
    assert_eq!(file.timing.silence().as_millis(), 450);
    assert_eq!(file.storage.wal_file_bytes, None);
}

#[test]
fn every_mistake_is_found_at_once_with_its_place() {
    let text = "\
[node]
name = \"n 1\"
nme = 3
[listen]
address = 7101
[timing]
heartbeat_ms = 10
missed = \"three\"
slot_ms = 400
[loging]
level = \"info\"
";
    let lines = refused(text);
    let expected = [
        "f:2:8: `node.name` must be 1 to 63 letters",
        "f:3:1: unknown key `nme` in [node]; did you mean `name`?",
        "f:5:11: `listen.address` must be text in quotes, not a number",
        "f:7:16: `timing.heartbeat_ms` is 10, but must be from 20 to 5000",
        "f:8:10: `timing.missed` must be a number, not text",
        "f:9:11: `timing.slot_ms` must not be more than `timing.slot_cap_ms`",
        "f:10:2: unknown section `loging`",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}");
    }
}

#[test]
fn mistakes_of_syntax_do_not_hide_the_others() {
    let lines = refused("[node]\nname = \n[listen]\naddress = \"h:1\"\n[timing]\nmissed = 1\n");
    assert!(
        lines.iter().any(|line| line.starts_with("f:2:")),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("`timing.missed` is 1")),
        "{lines:#?}"
    );
}

#[test]
fn what_must_be_given_is_asked_for_by_both_its_names() {
    let lines = refused("[node]\n");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("`node.name` is missing (or TETRARCH_NODE_NAME)"))
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("`listen.address` is missing")),
        "{lines:#?}"
    );
}

#[test]
fn variables_override_the_file_and_are_refused_by_their_name() {
    let file = read_with(
        GOOD,
        &[
            ("TETRARCH_LISTEN_ADDRESS", "10.0.0.1:9"),
            ("TETRARCH_NODE_LABELS", "zone=b,rack=3"),
            ("TETRARCH_PEERS", "n3=h:3"),
            ("TETRARCH_STORAGE_WAL_FILE_BYTES", "4MiB"),
            ("TETRARCH_MESH", "/elsewhere"),
            ("TETRARCH_SERVICE_HOST", "set by an orchestrator"),
        ],
    )
    .unwrap();
    assert_eq!(file.listen.address.unwrap().to_string(), "10.0.0.1:9");
    assert_eq!(file.node.labels.len(), 2);
    assert_eq!(file.peers[0].0, "n3");
    assert_eq!(file.storage.wal_file_bytes, Some(4 << 20));

    let wrong = [
        ("TETRARCH_TIMING_MISSED", "x"),
        ("TETRARCH_LOG_LEVELL", "info"),
    ];
    let problems = read_with(GOOD, &wrong).unwrap_err();
    let origins: Vec<_> = problems
        .iter()
        .map(|problem| problem.origin.clone())
        .collect();
    assert_eq!(
        origins,
        [
            Origin::Environment("TETRARCH_LOG_LEVELL".into()),
            Origin::Environment("TETRARCH_TIMING_MISSED".into()),
        ]
    );
}

#[test]
fn a_variable_stands_in_for_a_wrong_value_of_the_file() {
    let text = GOOD.replace("\"127.0.0.1:7101\"", "\"nowhere\"");
    assert!(read(&text).is_err());
    assert!(read_with(&text, &[("TETRARCH_LISTEN_ADDRESS", "h:1")]).is_ok());
}

#[test]
fn addresses_and_limits_that_contradict_each_other_are_refused() {
    let unspecified = GOOD.replace("127.0.0.1:7101", "0.0.0.0:7101");
    assert!(refused(&unspecified)[0].contains("`listen.address` is every address"));
    let advertised = unspecified.replace("[peers]", "advertise = \"10.0.0.1:1\"\n[peers]");
    assert!(read(&advertised).is_ok());

    let own = GOOD.replace("n2 =", "n1 =");
    assert!(refused(&own)[0].contains("names this node itself"));
    let twice = GOOD.to_owned() + "n3 = \"127.0.0.1:7102\"\n";
    assert!(refused(&twice)[0].contains("`n2` and `n3` the same address"));
    let inverted = GOOD.to_owned() + "[limits]\nnode_unacked_bytes = \"4MiB\"\n";
    assert!(refused(&inverted)[0].contains("`limits.channel_unacked_bytes`"));
    let slow = GOOD.to_owned() + "[timing]\nheartbeat_ms = 5000\nmissed = 20\n";
    assert!(refused(&slow)[0].starts_with("f:12:10: `timing.missed` times"));
    let hasty = GOOD.to_owned() + "[timing]\nelection_timeout_ms = 299\n";
    assert!(refused(&hasty)[0].starts_with("f:11:23: `timing.election_timeout_ms`"));
    let late = GOOD.to_owned() + "[storage]\nflush_trigger_bytes = \"48MiB\"\n";
    assert!(refused(&late)[0].contains("half of `storage.pending_max_bytes`"));
}

#[test]
fn the_reference_in_the_documentation_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == reference(&keys()),
        "docs/configuration.md is out of date: \
         cargo run --bin tetrarch -- config reference > docs/configuration.md"
    );
}
