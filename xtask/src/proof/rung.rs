//! One rung: a command that runs for as long as it is given, and what it came to.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use serde_json::{Value, json};

use crate::workspace;

/// More seeds than there is time for.
const ENDLESS: &str = "1000000000";

/// A command of cargo, and the file in which it reports, if it does.
pub(super) struct Rung {
    pub(super) name: &'static str,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
    /// How the line begins that says what it came to, if that is not the last one.
    sum: &'static str,
    report: Option<PathBuf>,
}

/// Every rung, so that together they take about so many hours.
pub(super) fn rungs(hours: f64, folder: &Path) -> Vec<Rung> {
    let simulation = folder.join("simulation.json");
    let mutants = folder.join("mutants.json");
    let power_cuts = folder.join("power-cuts.json");
    let fuzzing = folder.join("fuzz.json");
    // A tenth of the time, shared by the targets.
    let fuzz_seconds = (hours * 3600.0 * 0.1 / 15.0).max(1.0).round();
    let chaos_seconds = (hours * 3600.0 * 0.2).max(20.0).round();
    vec![
        Rung::new("model", "run --release --package tetrarch-model -- mutants"),
        Rung::new(
            "power-cuts",
            "run --release --package tetrarch-log --features simulation --example crash_enumeration -- \
             --images 1000000",
        )
        .reporting(power_cuts),
        Rung::new(
            "mutants",
            "run --release --package tetrarch-sim --features mutants -- mutants --seeds 1000000",
        )
        .reporting(mutants),
        Rung::new("simulation", "run --release --package tetrarch-sim -- run")
            .with(&["--seeds", ENDLESS, "--least", "1000"])
            .with(&["--hours", &format!("{:.3}", hours * 0.6)])
            .reporting(simulation),
        Rung::new("fuzz", "xtask fuzz --replay")
            .with(&["--seconds", &format!("{fuzz_seconds}")])
            .reporting(fuzzing),
        Rung::new(
            "chaos",
            "test --release --package tetrarch-tests --test chaos everything_at_once",
        )
        .with(&["--", "--nocapture"])
        .summed_up_by("everything:")
        .set("TETRARCH_CHAOS_SECONDS", format!("{chaos_seconds}")),
    ]
}

impl Rung {
    fn new(name: &'static str, arguments: &str) -> Self {
        Self {
            name,
            arguments: arguments.split(' ').map(str::to_owned).collect(),
            variables: Vec::new(),
            sum: "",
            report: None,
        }
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|one| (*one).to_owned()));
        self
    }

    fn set(mut self, name: &'static str, value: String) -> Self {
        self.variables.push((name, value));
        self
    }

    fn summed_up_by(mut self, sum: &'static str) -> Self {
        self.sum = sum;
        self
    }

    fn reporting(self, path: PathBuf) -> Self {
        let mut rung = self.with(&["--report", &path.display().to_string()]);
        rung.report = Some(path);
        rung
    }

    /// Runs it; what it says goes where this program's output goes.
    pub(super) fn climb(&self) -> Value {
        let command = self.command_line();
        println!("$ {command}");
        let begun = Instant::now();
        let (passed, last) = match self.run() {
            Ok(ended) => ended,
            Err(error) => (false, format!("{command}: {error}")),
        };
        json!({
            "name": self.name,
            "command": command,
            "passed": passed,
            "seconds": begun.elapsed().as_secs_f64().round(),
            "last_words": last,
            "report": self.report.as_deref().and_then(read),
        })
    }

    /// As it would be typed; reports go into the folder of what is built.
    fn command_line(&self) -> String {
        let variables = self.variables.iter();
        let variables: String = variables
            .map(|(name, value)| format!("{name}={value} "))
            .collect();
        let root = format!("{}/", workspace::root().display());
        let arguments = self.arguments.join(" ").replace(&root, "");
        format!("{variables}cargo {arguments}")
    }

    /// Whether it succeeded, and the last line that says what it came to.
    fn run(&self) -> std::io::Result<(bool, String)> {
        let mut command = workspace::cargo();
        command
            .args(&self.arguments)
            .envs(self.variables.iter().cloned())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut last = String::new();
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).into_owned();
                println!("{line}");
                if !line.trim().is_empty() && line.starts_with(self.sum) {
                    last = line;
                }
            }
        }
        Ok((child.wait()?.success(), last))
    }
}

fn read(path: &Path) -> Option<Value> {
    let text = std::fs::read(path).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rung_says_what_to_type_without_the_place_of_the_checkout() {
        let folder = workspace::root().join("target/proof");
        let rungs = rungs(2.0, &folder);
        let lines: Vec<String> = rungs.iter().map(Rung::command_line).collect();
        let simulation = lines.iter().find(|line| line.contains("--hours 1.200"));
        let simulation = simulation.expect("the simulation takes its share");
        assert!(
            simulation.ends_with("--report target/proof/simulation.json"),
            "{simulation}"
        );
        let fuzz = "cargo xtask fuzz --replay --seconds 48 --report target/proof/fuzz.json";
        assert!(lines.iter().any(|line| line == fuzz), "{lines:?}");
        let chaos = &lines[lines.len() - 1];
        assert!(
            chaos.starts_with("TETRARCH_CHAOS_SECONDS=1440 cargo test"),
            "{chaos}"
        );
    }
}
