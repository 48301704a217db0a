//! The simulator as it is called: what a seed decides, and what it says when something is wrong.

use std::{
    path::Path,
    process::{Command, Output},
};

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tetrarch-sim"))
        .args(arguments)
        .output()
        .expect("the simulator was built with this test")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn seeds_keep_every_invariant_and_come_to_the_same_again() {
    let ran = simulate(&["run", "--seeds", "12", "--seconds", "30", "--twice"]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let told = text(&ran.stdout);
    assert!(told.contains("12 seeds, 0 failed"), "{told}");
}

#[test]
fn a_trace_is_the_same_to_the_byte() {
    let folder = tempfile::tempdir().expect("a folder for two traces");
    let trace = |name: &str| {
        let path = folder.path().join(name);
        let said = path.display().to_string();
        let bounds = ["--nodes", "3", "--seconds", "10"];
        let arguments = [&["replay", "--seed", "7", "--trace", &said], &bounds[..]].concat();
        let ran = simulate(&arguments);
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        std::fs::read(path).expect("a trace was written")
    };
    let first = trace("first.ndjson");
    assert!(first.len() > 10_000, "{} bytes", first.len());
    assert!(first == trace("second.ndjson"), "the traces differ");
    for line in first
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let said: serde_json::Value = serde_json::from_slice(line).expect("a line is JSON");
        assert!(said["ns"].is_u64() && said["what"].is_string(), "{said}");
    }
}

#[test]
fn what_was_never_met_is_a_failure() {
    let bounds = ["--nodes", "1", "--seconds", "10", "--faults", "0"];
    let arguments = [&["run", "--seeds", "1", "--least", "1"], &bounds[..]].concat();
    let ran = simulate(&arguments);
    assert!(!ran.status.success());
    let said = text(&ran.stderr);
    assert!(said.contains("met less than 1 times"), "{said}");
}

#[test]
fn a_trace_that_cannot_be_written_is_said() {
    let nowhere = Path::new("no").join("such").join("folder");
    let ran = simulate(&[
        "replay",
        "--seed",
        "1",
        "--trace",
        &nowhere.display().to_string(),
    ]);
    assert!(!ran.status.success());
    assert!(text(&ran.stderr).contains("cannot be written"));
}

#[test]
fn a_run_is_drawn_and_told() {
    let folder = tempfile::tempdir().expect("a folder for a picture");
    let path = folder.path().join("run.svg");
    let said = path.display().to_string();
    let bounds = ["--nodes", "3", "--seconds", "20"];
    let ran = simulate(&[&["replay", "--seed", "7", "--svg", &said], &bounds[..]].concat());
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let picture = std::fs::read_to_string(path).expect("a picture was drawn");
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    assert!(picture.contains("Leader in epoch"), "nobody ever led");
    assert!(text(&ran.stdout).contains("n0"), "{}", text(&ran.stdout));
}

#[test]
fn what_many_runs_came_to_is_told_to_programs() {
    let folder = tempfile::tempdir().expect("a folder for a report");
    let path = folder.path().join("report.json");
    let said = path.display().to_string();
    let arguments = ["run", "--seeds", "2", "--seconds", "10", "--report", &said];
    let ran = simulate(&arguments);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let report = std::fs::read(path).expect("a report was written");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("it is JSON");
    assert_eq!(report["seeds"], 2);
    assert_eq!(report["failures"], serde_json::json!([]));
    assert!(
        report["counts"]["starts"]
            .as_u64()
            .is_some_and(|starts| starts > 0)
    );
}
