//! Everything that a change must pass, in one command and in the same way on every machine.
//!
//! Every step runs, whatever became of those before it. A tool that is not installed is named and
//! its step is shown as skipped; nothing is left out in silence.

mod counts;
mod step;

use std::{process::ExitCode, time::Duration};

use crate::{fuzz, nightly};
pub(crate) use counts::Counts;
use step::{Outcome, Step};

struct Report {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// Runs every step, and prints what became of each. The last line counts passed and failed.
pub(crate) fn run() -> ExitCode {
    let mut reports = Vec::new();
    for step in steps() {
        println!("── {} ──", step.name);
        let started = std::time::Instant::now();
        let outcome = step.run();
        let took = started.elapsed();
        let name = step.name;
        println!("   {outcome}\n");
        reports.push(Report {
            name,
            outcome,
            took,
        });
    }
    let total = summarise(&reports);
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Seeds of the simulator that every change is run under, and how often each thing that they are
/// about must be met in them.
const SEEDS: &str = "800";
const LEAST: &str = "20";

/// How long the fuzzer tries each target, in seconds: long enough to see that it runs. The tests replay
/// what is kept.
const FUZZ_SECONDS: &str = "2";

fn steps() -> [Step; 9] {
    [
        Step::new("fmt", &["fmt", "--all", "--check"])
            .needing("fmt", "rustup component add rustfmt"),
        Step::new(
            "clippy",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--all-features",
                "--",
                "-D",
                "warnings",
            ],
        )
        .needing("clippy", "rustup component add clippy"),
        Step::new("doc", &["doc", "--workspace", "--no-deps"]).with("RUSTDOCFLAGS", "-D warnings"),
        Step::tests(),
        Step::new(
            "simulate",
            &[
                "run",
                "--release",
                "--package",
                "tetrarch-sim",
                "--",
                "run",
                "--seeds",
                SEEDS,
                "--least",
                LEAST,
            ],
        ),
        Step::new(
            "mutants",
            &[
                "run",
                "--release",
                "--package",
                "tetrarch-sim",
                "--features",
                "mutants",
                "--",
                "mutants",
                "--quick",
            ],
        ),
        Step::new("fuzz", &["xtask", "fuzz", "--seconds", FUZZ_SECONDS]).unless(fuzz::obstacle()),
        Step::new("miri", &["xtask", "miri"]).unless(nightly::miri_obstacle()),
        Step::new("deny", &["deny", "check"]).needing("deny", "cargo install cargo-deny"),
    ]
}

fn summarise(reports: &[Report]) -> Counts {
    for Report {
        name,
        outcome,
        took,
    } in reports
    {
        println!("{name:8} {:6.1} s  {outcome}", took.as_secs_f64());
    }
    total(reports)
}

/// The tests, and one failure for each other step that failed.
fn total(reports: &[Report]) -> Counts {
    let mut total = Counts::default();
    for report in reports {
        match &report.outcome {
            Outcome::Passed(counts) => total += *counts,
            Outcome::Failed(counts) => {
                total += Counts {
                    failed: counts.failed.max(1),
                    ..*counts
                };
            }
            Outcome::Skipped(_) => {}
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome) -> Report {
        Report {
            name: "step",
            outcome,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn a_failed_step_is_a_failure_even_if_every_test_passed() {
        let reports = [
            report(Outcome::Failed(Counts::default())),
            report(Outcome::Passed(Counts::new(12, 0))),
            report(Outcome::Skipped("a tool".into())),
        ];
        assert_eq!(summarise(&reports), Counts::new(12, 1));
        assert_eq!(summarise(&reports[1..]), Counts::new(12, 0));
    }

    #[test]
    fn failed_tests_are_counted_once() {
        let reports = [report(Outcome::Failed(Counts::new(12, 3)))];
        assert_eq!(total(&reports), Counts::new(12, 3));
    }
}
