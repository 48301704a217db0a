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
mod run;
mod swarm;
mod tally;
mod trace;
mod world;

use std::{
    fs::File,
    io::{BufWriter, stdout},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    run::{Sum, run_many, try_run},
    swarm::Limits,
    trace::Trace,
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
    Run {
        /// How many.
        #[arg(long, default_value_t = 100)]
        seeds: u64,
        /// The first one.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// On how many threads; 0 means one per core.
        #[arg(long, default_value_t = 0)]
        threads: usize,
        /// Fail if anything that a run is about was met less often than this.
        #[arg(long, default_value_t = 0)]
        least: u64,
        /// Run every seed twice and compare.
        #[arg(long)]
        twice: bool,
        #[command(flatten)]
        limits: Bounds,
    },
    /// Run one seed and tell every step.
    Replay {
        /// Which.
        #[arg(long)]
        seed: u64,
        /// Where to write the steps, a line of JSON each; else to the terminal.
        #[arg(long)]
        trace: Option<PathBuf>,
        #[command(flatten)]
        limits: Bounds,
    },
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
        Command::Run {
            seeds,
            seed,
            threads,
            least,
            twice,
            limits,
        } => {
            // A broken invariant is reported once, with its seed.
            std::panic::set_hook(Box::new(|_| {}));
            let limits = limits.into();
            let begun = Instant::now();
            let sum = run_many(seed, seeds, cores(threads), &limits);
            report(&sum, begun.elapsed().as_secs_f64());
            let mut failed = !sum.failures.is_empty();
            if twice {
                let again = run_many(seed, seeds, cores(threads), &limits);
                failed |= again.hash != sum.hash;
                println!("again: fingerprint {:016x}", again.hash);
            }
            for what in sum.tally.missed(least) {
                eprintln!("met less than {least} times: {what}");
                failed = true;
            }
            if failed {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            }
        }
        Command::Replay {
            seed,
            trace,
            limits,
        } => replay(seed, trace, &limits.into()),
        #[cfg(feature = "mutants")]
        Command::Mutants(options) => mutants::run(&options),
        Command::Shrink { seed } => shrink(seed),
    }
}

fn cores(threads: usize) -> usize {
    if threads > 0 {
        return threads;
    }
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn report(sum: &Sum, seconds: f64) {
    for failure in sum.failures.iter().take(20) {
        eprintln!("seed {}: {}", failure.seed, failure.why);
        eprintln!(
            "  tetrarch-sim replay --seed {} --trace out.ndjson",
            failure.seed
        );
    }
    for (what, count) in sum.tally.counts() {
        println!("{count:>12}  {what}");
    }
    let tally = &sum.tally;
    let virtual_seconds = tally.nanoseconds as f64 / 1e9;
    println!("{:>12}  steps", tally.steps);
    println!("{:>12}  events", tally.events);
    println!("{:>12}  packets lost", tally.lost_packets);
    println!(
        "{:>12}  events acknowledged and checked",
        tally.acknowledged
    );
    println!(
        "{} seeds, {} failed, {:.1} virtual hours in {seconds:.1} s: {:.0} times real time, fingerprint {:016x}",
        sum.seeds,
        sum.failures.len(),
        virtual_seconds / 3600.0,
        virtual_seconds / seconds,
        sum.hash
    );
}

fn replay(seed: u64, trace: Option<PathBuf>, limits: &Limits) -> ExitCode {
    let trace = match trace {
        Some(path) => match File::create(&path) {
            Ok(file) => Trace::to(BufWriter::new(file)),
            Err(error) => {
                eprintln!("error: {} cannot be written: {error}", path.display());
                return ExitCode::FAILURE;
            }
        },
        None => Trace::to(stdout()),
    };
    std::panic::set_hook(Box::new(|_| {}));
    match try_run(seed, limits, trace) {
        Ok(outcome) => {
            eprintln!(
                "seed {seed} keeps every invariant, fingerprint {:016x}",
                outcome.hash
            );
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("seed {seed}: {}", failure.why);
            ExitCode::FAILURE
        }
    }
}

/// Each bound by itself is made as small as it can be while the seed still fails. Another bound
/// draws another run, so what fails in the end may be another failure of the same code.
fn shrink(seed: u64) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let fails = |limits: &Limits| try_run(seed, limits, Trace::silent()).err();
    let mut smallest = Limits::default();
    let Some(mut failure) = fails(&smallest) else {
        eprintln!("seed {seed} keeps every invariant");
        return ExitCode::SUCCESS;
    };
    let tries: [fn(&Limits, usize) -> Limits; 5] = [
        |limits, n| Limits {
            nodes: n,
            ..limits.clone()
        },
        |limits, n| Limits {
            channels: n,
            ..limits.clone()
        },
        |limits, n| Limits {
            clients: n,
            ..limits.clone()
        },
        |limits, n| Limits {
            seconds: n as u64,
            ..limits.clone()
        },
        |limits, n| Limits {
            faults: (n * n) as u64,
            ..limits.clone()
        },
    ];
    for smaller in tries {
        for n in 1..20 {
            let limits = smaller(&smallest, n);
            if let Some(found) = fails(&limits) {
                (smallest, failure) = (limits, found);
                break;
            }
        }
    }
    println!("{}", failure.why);
    println!("with {smallest:?}");
    ExitCode::FAILURE
}
