//! One fuzz target: what is kept for it, and a bounded run of the fuzzer.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::{Value, json};

use crate::workspace;

/// Longer than any input takes, in seconds.
const TIMEOUT: u64 = 20;
/// More memory than any input needs, in MiB.
const MEMORY: u64 = 512;
/// Lines of a log that show what an input has broken.
const LAST: usize = 40;

/// A program of `fuzz/fuzz_targets`.
#[derive(Debug, PartialEq)]
pub(super) struct Target {
    pub(super) name: String,
}

/// The targets that the manifest of the fuzz package names.
pub(super) fn named(manifest: &str) -> Vec<Target> {
    let programs = manifest.split("[[bin]]").skip(1);
    programs
        .filter_map(|program| {
            let mut lines = program.lines();
            let name = lines.find_map(|line| line.strip_prefix("name = \""))?;
            let name = name.trim_end_matches('"').to_owned();
            Some(Target { name })
        })
        .collect()
}

impl Target {
    fn folder(&self, of: &str) -> PathBuf {
        workspace::root().join("fuzz").join(of).join(&self.name)
    }

    /// How many inputs are kept in the repository.
    pub(super) fn kept(&self) -> Result<usize, String> {
        let folder = self.folder("corpus");
        let files = fs::read_dir(&folder).map_err(|error| format!("{folder:?}: {error}"))?;
        Ok(files.count())
    }

    /// Tries inputs for so many seconds: those that are kept, those that earlier runs came across,
    /// and new ones.
    pub(super) fn fuzz(&self, programs: &Path, seconds: u64) -> Result<Value, String> {
        let begun = Instant::now();
        let path = self.folder("target/logs").with_extension("log");
        let ended = self.command(programs, seconds, &path);
        let ended = ended.and_then(|mut command| command.status());
        let passed = ended
            .map_err(|error| format!("{}: {error}", self.name))?
            .success();
        let log = fs::read(&path).map_err(|error| format!("{path:?}: {error}"))?;
        let log = String::from_utf8_lossy(&log);
        let executions = statistic(&log, "number_of_executed_units");
        // A program that was not built for the fuzzer ends well and has tried nothing.
        let passed = passed && executions.is_some_and(|count| count > 0);
        let shown = executions.map_or("no".to_owned(), |count| count.to_string());
        let word = if passed { "ok" } else { "FAILED" };
        println!("{:10} {word}, {shown} executions", self.name);
        if !passed {
            let lines: Vec<&str> = log.lines().collect();
            println!("{}", lines[lines.len().saturating_sub(LAST)..].join("\n"));
        }
        Ok(json!({
            "name": self.name,
            "passed": passed,
            "seconds": begun.elapsed().as_secs(),
            "executions": executions,
            "peak_mib": statistic(&log, "peak_rss_mb"),
            "log": format!("fuzz/target/logs/{}.log", self.name),
        }))
    }

    fn command(&self, programs: &Path, seconds: u64, log: &Path) -> std::io::Result<Command> {
        let (found, artifacts) = (self.folder("target/found"), self.folder("artifacts"));
        for folder in [&found, &artifacts, &self.folder("target/logs")] {
            fs::create_dir_all(folder)?;
        }
        let log = File::create(log)?;
        let mut command = Command::new(programs.join(&self.name));
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={TIMEOUT}"))
            .arg(format!("-rss_limit_mb={MEMORY}"))
            .arg("-print_final_stats=1")
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args([found, self.folder("corpus")])
            .current_dir(workspace::root().join("fuzz"))
            .stdout(Stdio::null())
            .stderr(log);
        let seeds = self.folder("seeds");
        if seeds.exists() {
            command.arg(seeds);
        }
        Ok(command)
    }
}

/// A number that libFuzzer prints at its end.
fn statistic(log: &str, name: &str) -> Option<u64> {
    let name = format!("stat::{name}:");
    let mut lines = log.lines().rev();
    lines
        .find_map(|line| line.strip_prefix(&name))
        .and_then(|number| number.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_targets_and_the_library_is_none() {
        let manifest = "[package]\nname = \"fuzz\"\n[lib]\nname = \"oracle\"\n\n\
            [[bin]]\nname = \"frame\"\npath = \"x.rs\"\n\n[[bin]]\nname = \"wal\"\n";
        let names: Vec<String> = named(manifest).into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["frame", "wal"]);
    }

    #[test]
    fn statistics_are_read() {
        let log = "#1 NEW\nstat::number_of_executed_units: 19309\nstat::peak_rss_mb:     41\n";
        assert_eq!(statistic(log, "number_of_executed_units"), Some(19_309));
        assert_eq!(statistic(log, "peak_rss_mb"), Some(41));
        assert_eq!(statistic(log, "average_exec_per_sec"), None);
    }
}
