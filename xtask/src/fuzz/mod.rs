//! The fuzz targets: the kept inputs on the stable compiler, and the fuzzer itself where there is a
//! nightly one. What does not run is said to be skipped, and why.

mod replay;
mod target;

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{nightly, workspace};
use target::Target;

/// What instruments the targets for libFuzzer: the flags of cargo-fuzz, without the sanitizer that
/// unsafe code would need.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions \
    -Coverflow-checks -Ccodegen-units=1";

/// Why the fuzzer cannot run, if it cannot.
pub(crate) fn obstacle() -> Option<String> {
    if let Err(why) = nightly::host() {
        return Some(why);
    }
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let is_there = Command::new(&compiler).arg("--version").output().is_ok();
    if !is_there {
        return Some(format!(
            "libFuzzer needs a C++ compiler, and there is no {compiler}"
        ));
    }
    let mut fetch = nightly::program("cargo");
    fetch.args([
        "fetch",
        "--quiet",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
    ]);
    match fetch.output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => unfetched(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => Some(format!("cargo fetch: {error}")),
    }
}

/// What a fetch that failed says. A lock file that is out of date is a mistake in the repository, which
/// the build is to show.
fn unfetched(said: &str) -> Option<String> {
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    let why = format!(
        "what it is built from cannot be fetched: {}",
        last.unwrap_or_default().trim()
    );
    (!said.contains("--locked")).then_some(why)
}

/// Runs the fuzzer on each target for so many seconds.
///
/// # Errors
/// If it cannot run, or an input breaks something.
pub(crate) fn run(seconds: &str) -> Result<(), String> {
    let seconds = whole(seconds)?;
    let results = fuzz(&targets()?, seconds)?;
    verdict(&results)
}

/// Replays what is kept, runs the fuzzer if it can run, and reports both.
///
/// # Errors
/// If an input breaks something, or the report cannot be written.
pub(crate) fn prove(seconds: &str, report: &str) -> Result<(), String> {
    let seconds = whole(seconds)?;
    let targets = targets()?;
    let kept: serde_json::Map<String, Value> = targets
        .iter()
        .map(|target| Ok((target.name.clone(), json!(target.kept()?))))
        .collect::<Result<_, String>>()?;
    let replayed = replay::run();
    let skipped = obstacle();
    let results = match &skipped {
        Some(why) => {
            println!("fuzzer: SKIPPED: {why}");
            Ok(Vec::new())
        }
        None => fuzz(&targets, seconds),
    };
    let told = json!({
        "kept_inputs": kept,
        "replay_tests": replayed.as_ref().ok(),
        "skipped": skipped,
        "seconds_each": seconds,
        "targets": results.as_ref().map_or(json!([]), |results| json!(results)),
    });
    let path = workspace::root().join(report);
    fs::write(&path, format!("{told:#}\n")).map_err(|error| format!("{path:?}: {error}"))?;
    let tests = replayed?;
    verdict(&results?)?;
    println!("{}", summary(&told, tests));
    Ok(())
}

/// The last line, which is what the proof keeps of the output.
fn summary(told: &Value, tests: u64) -> String {
    let count = |name: &str| told[name].as_array().map_or(0, Vec::len);
    let kept = told["kept_inputs"].as_object().into_iter().flatten();
    let kept: u64 = kept.filter_map(|(_, count)| count.as_u64()).sum();
    let replayed = format!("{kept} kept inputs replayed by {tests} tests");
    match told["skipped"].as_str() {
        Some(why) => format!("{replayed}; fuzzer SKIPPED: {why}"),
        None => format!("{replayed}; {} targets fuzzed", count("targets")),
    }
}

fn whole(seconds: &str) -> Result<u64, String> {
    match seconds.parse() {
        Ok(seconds @ 1..=1_000_000) => Ok(seconds),
        _ => Err(format!("{seconds} is no number of seconds")),
    }
}

/// Every target that `fuzz/Cargo.toml` names.
fn targets() -> Result<Vec<Target>, String> {
    let path = workspace::root().join("fuzz/Cargo.toml");
    let manifest = fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
    let targets = target::named(&manifest);
    if targets.is_empty() {
        return Err(format!("{path:?} names no target"));
    }
    Ok(targets)
}

fn fuzz(targets: &[Target], seconds: u64) -> Result<Vec<Value>, String> {
    let host = nightly::host()?;
    build(&host)?;
    let programs = format!("fuzz/target/{host}/release");
    let folder = workspace::root().join(programs);
    let fuzzed = targets
        .iter()
        .map(|target| target.fuzz(Path::new(&folder), seconds));
    fuzzed.collect()
}

fn build(host: &str) -> Result<(), String> {
    let arguments = ["build", "--release", "--locked", "--target", host];
    println!(
        "$ cd fuzz; RUSTFLAGS='{FLAGS}' cargo +nightly {}",
        arguments.join(" ")
    );
    let mut build = nightly::program("cargo");
    build
        .args(arguments)
        .current_dir(workspace::root().join("fuzz"))
        .env("RUSTFLAGS", FLAGS);
    match build.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the fuzz targets do not build: {status}")),
        Err(error) => Err(format!("the fuzz targets do not build: {error}")),
    }
}

fn verdict(results: &[Value]) -> Result<(), String> {
    let broken: Vec<String> = results
        .iter()
        .filter(|result| result["passed"] != json!(true))
        .map(|result| format!("{}, see {}", result["name"], result["log"]))
        .collect();
    if broken.is_empty() {
        Ok(())
    } else {
        Err(format!("an input breaks {}", broken.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_said_in_the_last_line() {
        let told = json!({ "kept_inputs": { "frame": 2, "wal": 1 }, "skipped": "no compiler", "targets": [] });
        assert_eq!(
            summary(&told, 4),
            "3 kept inputs replayed by 4 tests; fuzzer SKIPPED: no compiler"
        );
        let told = json!({ "kept_inputs": { "frame": 2 }, "skipped": null, "targets": [1, 2] });
        assert_eq!(
            summary(&told, 4),
            "2 kept inputs replayed by 4 tests; 2 targets fuzzed"
        );
    }

    #[test]
    fn a_stale_lock_file_is_no_reason_to_skip() {
        let said = "error: failed to get `bytes`\n\nCaused by:\n  no network\n";
        let why = unfetched(said);
        assert_eq!(
            why.as_deref(),
            Some("what it is built from cannot be fetched: no network")
        );
        let said = "error: cannot update the lock file because --locked was passed\n";
        assert_eq!(unfetched(said), None);
    }

    #[test]
    fn a_target_without_end_or_with_a_finding_has_not_passed() {
        assert!(whole("0").is_err() && whole("-1").is_err() && whole("1.5").is_err());
        let good = json!({ "name": "frame", "passed": true });
        let bad = json!({ "name": "wal", "passed": false, "log": "wal.log" });
        assert_eq!(verdict(std::slice::from_ref(&good)), Ok(()));
        let said = verdict(&[good, bad]).unwrap_err();
        assert!(
            said.contains("wal.log") && !said.contains("frame"),
            "{said}"
        );
    }
}
