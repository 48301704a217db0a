//! The workspace's own tasks. `cargo xtask` alone lists them.
//!
//! What verifies never writes: `fsm --check`, `tidy` and `ci` leave the checkout as it is; `fsm --write`
//! and `proof` are the tasks that write files.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod ci;
mod fsm;
mod fuzz;
mod nightly;
mod proof;
mod tidy;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

  fsm [--format markdown|mermaid|json]   print the table of roles
  fsm --check                            compare docs/fsm.md with the table
  fsm --write                            write docs/fsm.md from the table
  tidy                                   check files, names and the direction of dependencies
  ci                                     everything that a change must pass
  fuzz --seconds N                       the fuzzer on each target for so long; needs nightly
  fuzz --replay --seconds N --report F   kept inputs on stable, the fuzzer if there is nightly
  miri                                   the codec's tests under Miri; needs nightly
  proof --hours N [RUNG]...              what takes hours, all or some, and RELIABILITY.json of it";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["fsm"] => fsm::print("markdown"),
        ["fsm", "--format", format] => fsm::print(format),
        ["fsm", "--check"] => fsm::check(),
        ["fsm", "--write"] => fsm::write(),
        ["tidy"] => tidy::run(),
        ["ci"] => return ci::run(),
        ["fuzz", "--seconds", seconds] => fuzz::run(seconds),
        ["fuzz", "--replay", "--seconds", seconds, "--report", report] => {
            fuzz::prove(seconds, report)
        }
        ["miri"] => nightly::miri(),
        ["proof", "--hours", hours, names @ ..] => proof::run(hours, names),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("no such task: {}\n\n{USAGE}", words.join(" "))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
