//! The proof that the checks notice mistakes: each known one is made in the shipped code, and seeds
//! are run until one of them fails.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use tetrarch_mutant::{Mutant, plant};

use crate::{
    cores,
    run::{Sum, run_while},
    swarm::Limits,
};

#[derive(Args)]
pub(crate) struct Options {
    /// Make only those mistakes whose names contain one of these.
    names: Vec<String>,
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
}

/// Prints the table. Fails if a mistake was not noticed.
pub(crate) fn run(options: &Options) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    if options.markdown {
        println!("| mistake | noticed by | seed | s |\n|---|---|---|---|");
    }
    let chosen = |mutant: &&Mutant| {
        let names = &options.names;
        names.is_empty()
            || names
                .iter()
                .any(|name| mutant.name().contains(name.as_str()))
    };
    let (mut made, mut noticed) = (0, 0);
    for mutant in Mutant::ALL.iter().filter(chosen) {
        made += 1;
        noticed += usize::from(attempt(*mutant, options));
    }
    println!("{made} mistakes, {noticed} noticed");
    if made > 0 && noticed == made {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Whether a seed fails with this mistake.
fn attempt(mutant: Mutant, options: &Options) -> bool {
    plant(Some(mutant));
    let threads = cores(options.threads);
    let begun = Instant::now();
    let most = Duration::from_secs(options.seconds) / u32::try_from(threads).unwrap_or(1);
    let goes_on = |sum: &Sum| sum.failures.is_empty() && begun.elapsed() < most;
    let sum = run_while((1, options.seeds), threads, &Limits::default(), goes_on);
    plant(None);
    let seconds = begun.elapsed().as_secs_f64();
    let (why, seed) = match sum.failures.first() {
        Some(failure) => (shortened(&failure.why), failure.seed.to_string()),
        None => ("NOTHING".to_owned(), format!("{} tried", sum.seeds)),
    };
    if options.markdown {
        let mistake = mutant.mistake().trim_end_matches('.');
        println!("| {mistake} | {} | {seed} | {seconds:.1} |", check_of(&why));
    } else {
        println!(
            "{:22} seed {seed:<10} {seconds:6.1} s  {why}",
            mutant.name()
        );
    }
    !sum.failures.is_empty()
}

/// One line of a report.
fn shortened(why: &str) -> String {
    let line = why.lines().next().unwrap_or_default();
    line.chars().take(120).collect()
}

/// The number of the invariant, if the report names one.
fn check_of(why: &str) -> &str {
    let number = why.split(':').next().unwrap_or_default();
    let is_number = number.starts_with('I') && number.len() < 8;
    if is_number { number } else { why }
}
