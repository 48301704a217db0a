//! `tetrarch-sim`: runs the shipped replication core, beats and log of whole meshes in virtual time,
//! under a simulated network, disks and clocks, everything drawn from one number.
//!
//! Nothing of the protocol is written again here. What this program does in place of a node's
//! process is what that does: it gives inputs to the core, carries its effects out, and decides
//! nothing.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod check;
mod client;
mod clock;
mod dice;
mod faults;
mod happening;
#[cfg(feature = "mutants")]
mod mutants;
mod network;
mod node;
mod replay;
mod report;
mod run;
mod shrink;
mod swarm;
mod tally;
mod timeline;
mod trace;
mod world;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand};

use crate::{
    run::{Sum, run_while},
    swarm::Limits,
};

/// Runs meshes in virtual time, everything drawn from one number.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run many seeds.
    Run(Many),
    /// Run one seed and tell what happens.
    Replay(replay::Options),
    /// Make known mistakes in the shipped code, one after the other, and see them noticed.
    #[cfg(feature = "mutants")]
    Mutants(mutants::Options),
    /// Look for the smallest mesh in which a seed still fails.
    Shrink {
        /// Which.
        #[arg(long)]
        seed: u64,
    },
}

/// Which seeds, and what must come of them.
#[derive(Args)]
struct Many {
    /// How many.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Begin no more seeds after so many hours of real time.
    #[arg(long)]
    hours: Option<f64>,
    /// On how many threads; 0 means one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Fail if anything that a run is about was met less often than this.
    #[arg(long, default_value_t = 0)]
    least: u64,
    /// Run every seed twice and compare.
    #[arg(long)]
    twice: bool,
    /// Where to write what it came to, as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
    #[command(flatten)]
    limits: Bounds,
}

/// Upper bounds of what a seed may draw.
#[derive(Args)]
struct Bounds {
    /// Nodes.
    #[arg(long)]
    nodes: Option<usize>,
    /// Channels.
    #[arg(long)]
    channels: Option<usize>,
    /// Producers, and consumers.
    #[arg(long)]
    clients: Option<usize>,
    /// How many faults strike.
    #[arg(long)]
    faults: Option<u64>,
    /// Seconds of chaos.
    #[arg(long)]
    seconds: Option<u64>,
}

impl From<Bounds> for Limits {
    fn from(bounds: Bounds) -> Self {
        let most = Self::default();
        Self {
            nodes: bounds.nodes.unwrap_or(most.nodes),
            channels: bounds.channels.unwrap_or(most.channels),
            clients: bounds.clients.unwrap_or(most.clients),
            faults: bounds.faults.unwrap_or(most.faults),
            seconds: bounds.seconds.unwrap_or(most.seconds),
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(many) => match many.run() {
            Ok(code) => code,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
        Command::Replay(options) => replay::run(options),
        #[cfg(feature = "mutants")]
        Command::Mutants(options) => mutants::run(&options),
        Command::Shrink { seed } => shrink::run(seed),
    }
}

impl Many {
    fn run(self) -> std::io::Result<ExitCode> {
        // A broken invariant is reported once, with its seed.
        std::panic::set_hook(Box::new(|_| {}));
        let limits = self.limits.into();
        let most = self
            .hours
            .map(|hours| Duration::from_secs_f64(hours * 3600.0));
        let threads = cores(self.threads);
        let once = || {
            let begun = Instant::now();
            let goes_on = |_: &Sum| most.is_none_or(|most| begun.elapsed() < most);
            let sum = run_while((self.seed, self.seeds), threads, &limits, goes_on);
            (sum, begun.elapsed().as_secs_f64())
        };
        let (sum, seconds) = once();
        report::print(&sum, seconds);
        if let Some(path) = &self.report {
            write(path, &report::json(&sum, seconds))?;
        }
        let mut failed = !sum.failures.is_empty();
        if self.twice {
            let (again, _) = once();
            failed |= again.hash != sum.hash;
            println!("again: fingerprint {:016x}", again.hash);
        }
        for what in sum.tally.missed(self.least) {
            eprintln!("met less than {} times: {what}", self.least);
            failed = true;
        }
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// Writes a report.
fn write(path: &Path, report: &serde_json::Value) -> std::io::Result<()> {
    let text = format!("{report:#}\n");
    std::fs::write(path, text).map_err(|error| {
        let said = format!("{} cannot be written: {error}", path.display());
        std::io::Error::new(error.kind(), said)
    })
}

fn cores(threads: usize) -> usize {
    if threads > 0 {
        return threads;
    }
    std::thread::available_parallelism().map_or(1, usize::from)
}
