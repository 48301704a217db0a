//! The proof that the checks notice mistakes: each known one is made in the shipped code, and seeds
//! are run until one of them fails.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::{Value, json};
use tetrarch_mutant::{Mutant, plant};

use crate::{
    cores,
    run::{Failure, Sum, run_while},
    swarm::Limits,
};

#[derive(Args)]
pub(crate) struct Options {
    /// Make only those mistakes whose names contain one of these.
    names: Vec<String>,
    /// Leave out those that only many seeds notice.
    #[arg(long)]
    quick: bool,
    /// How many seeds to run, at most, for each.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// Seconds of processor time, at most, for each.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// On how many threads; 0 means one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Print the table as Markdown.
    #[arg(long)]
    markdown: bool,
    /// Where to write the table as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

/// What became of a mistake.
struct Row {
    mutant: Mutant,
    failure: Option<Failure>,
    /// How many seeds were run.
    seeds: u64,
    seconds: f64,
}

/// Prints the table. Fails if a mistake was not noticed.
pub(crate) fn run(options: &Options) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    if options.markdown {
        println!("| mistake | noticed by | seed | s |\n|---|---|---|---|");
    }
    let chosen = |mutant: &&Mutant| {
        let mut names = options.names.iter();
        let is_named = names.any(|name| mutant.name().contains(name.as_str()));
        let is_left_out = options.quick && mutant.is_rare();
        is_named || (options.names.is_empty() && !is_left_out)
    };
    let mut rows = Vec::new();
    for mutant in Mutant::ALL.iter().filter(chosen) {
        let row = attempt(*mutant, options);
        println!(
            "{}",
            if options.markdown {
                row.markdown()
            } else {
                row.text()
            }
        );
        rows.push(row);
    }
    let noticed = rows.iter().filter(|row| row.failure.is_some()).count();
    println!("{} mistakes, {noticed} noticed", rows.len());
    if let Some(path) = &options.report {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        if let Err(error) = crate::write(path, &Value::Array(rows)) {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    }
    if !rows.is_empty() && noticed == rows.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs seeds with this mistake until one fails.
fn attempt(mutant: Mutant, options: &Options) -> Row {
    plant(Some(mutant));
    let threads = cores(options.threads);
    let begun = Instant::now();
    let most = Duration::from_secs(options.seconds) / u32::try_from(threads).unwrap_or(1);
    let goes_on = |sum: &Sum| sum.failures.is_empty() && begun.elapsed() < most;
    let sum = run_while((1, options.seeds), threads, &Limits::default(), goes_on);
    plant(None);
    Row {
        mutant,
        failure: sum.failures.into_iter().next(),
        seeds: sum.seeds,
        seconds: begun.elapsed().as_secs_f64(),
    }
}

impl Row {
    fn text(&self) -> String {
        let name = self.mutant.name();
        let seconds = self.seconds;
        match &self.failure {
            Some(Failure { seed, why }) => {
                format!(
                    "{name:22} seed {seed:<6} {seconds:6.1} s  {}",
                    shortened(why)
                )
            }
            None => format!(
                "{name:22} {} seeds {seconds:6.1} s  NOT NOTICED",
                self.seeds
            ),
        }
    }

    fn markdown(&self) -> String {
        let mistake = self.mutant.mistake().trim_end_matches('.');
        let seconds = self.seconds;
        match &self.failure {
            Some(Failure { seed, why }) => {
                format!("| {mistake} | {} | {seed} | {seconds:.1} |", check_of(why))
            }
            None => format!(
                "| {mistake} | **nothing** | {} run | {seconds:.1} |",
                self.seeds
            ),
        }
    }

    fn json(&self) -> Value {
        let failure = self.failure.as_ref();
        json!({
            "mutant": self.mutant.name(),
            "mistake": self.mutant.mistake(),
            "noticed_by": failure.map(|failure| check_of(&failure.why)),
            "seed": failure.map(|failure| failure.seed),
            "seconds": self.seconds,
        })
    }
}

/// One line of a report.
fn shortened(why: &str) -> String {
    let line = why.lines().next().unwrap_or_default();
    line.chars().take(120).collect()
}

/// The number of the invariant that the report names; other reports are of the program itself.
fn check_of(why: &str) -> String {
    let words = why.split(|c: char| !c.is_ascii_alphanumeric());
    let is_number = |word: &&str| {
        let digits = word.strip_prefix('I');
        digits.is_some_and(|digits| !digits.is_empty() && digits.parse::<u8>().is_ok())
    };
    match words.into_iter().find(is_number) {
        Some(number) => number.to_owned(),
        None => shortened(why),
    }
}
