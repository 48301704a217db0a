//! One step of the checks: a cargo command, and what it needs to be there.

use std::{
    fmt,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use super::counts::Counts;
use crate::workspace;

/// What became of a step.
pub(super) enum Outcome {
    Passed(Counts),
    Failed(Counts),
    /// Not run; why not and what would help.
    Skipped(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, Counts { passed, failed }) = match self {
            Self::Passed(counts) => ("ok", *counts),
            Self::Failed(counts) => ("FAILED", *counts),
            Self::Skipped(why) => return write!(f, "SKIPPED: {why}"),
        };
        f.write_str(word)?;
        if passed + failed > 0 {
            write!(f, ", {passed} tests passed, {failed} failed")?;
        }
        Ok(())
    }
}

/// One step.
pub(super) struct Step {
    pub(super) name: &'static str,
    commands: Vec<Vec<&'static str>>,
    variable: Option<(&'static str, String)>,
    /// A cargo command that must exist, and how to get it.
    needs: Option<(&'static str, &'static str)>,
    /// Why it cannot run, if something else is missing.
    obstacle: Option<String>,
}

impl Step {
    pub(super) fn new(name: &'static str, arguments: &[&'static str]) -> Self {
        Self {
            name,
            commands: vec![arguments.to_vec()],
            variable: None,
            needs: None,
            obstacle: None,
        }
    }

    /// The tests, by the better runner if it is there. It runs no documentation tests, so cargo
    /// runs those.
    pub(super) fn tests() -> Self {
        let mut step = Self::new("test", &["test", "--workspace", "--no-fail-fast"]);
        if has("nextest") {
            println!("tests run under cargo nextest, documentation tests under cargo test");
            step.commands = vec![
                vec!["nextest", "run", "--workspace", "--no-fail-fast"],
                vec!["test", "--workspace", "--doc", "--no-fail-fast"],
            ];
        } else {
            println!("cargo-nextest is not installed: tests run under cargo test");
        }
        // The whole workspace is built with its tests, the program among them: tests that start it
        // need not build it once more by itself, with other features.
        let program = workspace::target().join("debug/tetrarch");
        step.with("TETRARCH_TEST_PROGRAM", &program.display().to_string())
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variable = Some((name, value.to_owned()));
        self
    }

    pub(super) fn needing(mut self, command: &'static str, remedy: &'static str) -> Self {
        self.needs = Some((command, remedy));
        self
    }

    pub(super) fn unless(mut self, obstacle: Option<String>) -> Self {
        self.obstacle = obstacle;
        self
    }

    /// Runs the step; its output goes where this program's goes.
    pub(super) fn run(&self) -> Outcome {
        if let Some((command, remedy)) = self.needs
            && !has(command)
        {
            return Outcome::Skipped(format!("cargo {command} is not installed ({remedy})"));
        }
        if let Some(why) = &self.obstacle {
            return Outcome::Skipped(why.clone());
        }
        let mut counts = Counts::default();
        let mut passed = true;
        for arguments in &self.commands {
            match self.command(arguments, &mut counts) {
                Ok(success) => passed &= success,
                Err(error) => {
                    eprintln!("cargo {}: {error}", arguments.join(" "));
                    passed = false;
                }
            }
        }
        if passed {
            Outcome::Passed(counts)
        } else {
            Outcome::Failed(counts)
        }
    }

    fn command(&self, arguments: &[&str], counts: &mut Counts) -> std::io::Result<bool> {
        println!("$ cargo {}", arguments.join(" "));
        let mut command = workspace::cargo();
        command.args(arguments).envs(self.variable.clone());
        // nextest sums up on stderr, cargo test on stdout; only that one is read along the way.
        if arguments.first() == Some(&"nextest") {
            command.stderr(Stdio::piped());
        } else {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn()?;
        if let Some(lines) = child.stdout.take() {
            echo(lines, counts, |line| println!("{line}"))?;
        }
        if let Some(lines) = child.stderr.take() {
            echo(lines, counts, |line| eprintln!("{line}"))?;
        }
        Ok(child.wait()?.success())
    }
}

fn echo(
    lines: impl std::io::Read,
    counts: &mut Counts,
    print: impl Fn(&str),
) -> std::io::Result<()> {
    for line in BufReader::new(lines).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if let Some(found) = Counts::read(&line) {
            *counts += found;
        }
        print(&line);
    }
    Ok(())
}

/// Whether cargo has this command.
fn has(command: &str) -> bool {
    let quiet = |command: &mut Command| {
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    quiet(workspace::cargo().args([command, "--version"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_its_remedy() {
        let step = Step::new("step", &["fmt"]).needing("no-such-command", "install it");
        assert_eq!(
            step.run().to_string(),
            "SKIPPED: cargo no-such-command is not installed (install it)"
        );
        let step = Step::new("step", &["fmt"]).unless(Some("no compiler".to_owned()));
        assert_eq!(step.run().to_string(), "SKIPPED: no compiler");
    }

    #[test]
    fn a_command_that_fails_fails_its_step() {
        let good = Step::new("good", &["--version"]);
        assert!(matches!(good.run(), Outcome::Passed(_)));
        let bad = Step::new("bad", &["no-such-command"]);
        assert!(matches!(bad.run(), Outcome::Failed(_)));
    }

    #[test]
    fn sums_are_read_while_lines_are_passed_on() {
        let mut counts = Counts::default();
        let passed_on = std::cell::RefCell::new(Vec::new());
        let output = "running 2 tests\ntest result: ok. 2 passed; 0 failed\n";
        echo(output.as_bytes(), &mut counts, |line| {
            passed_on.borrow_mut().push(line.to_owned());
        })
        .unwrap();
        assert_eq!(counts, Counts::new(2, 0));
        assert_eq!(passed_on.into_inner().len(), 2);
    }
}
