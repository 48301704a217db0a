//! Runs the models: `check` visits every state within bounds, `walk` takes random walks, and
//! `mutants` shows which mistakes either of them notices, and how soon.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tetrarch_model::{
    Bounds, Exhausted, Kill, Mutant, Quorum, Violation, exhaust, needs_parks, walks,
};

#[derive(Parser)]
#[command(
    name = "tetrarch-model",
    about = "Checks a model of the replication protocol"
)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Visits every state within bounds
    Check(Size),
    /// Takes random walks within bounds
    Walk {
        /// How many walks
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
        seeds: u64,
        /// The first seed
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// The most steps of a walk
        #[arg(long, default_value_t = 120)]
        depth: usize,
        #[command(flatten)]
        size: Size,
    },
    /// Makes each known mistake, and shows what notices it
    Mutants,
}

#[derive(Args)]
struct Size {
    /// How many nodes vote
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=3))]
    voters: u8,
    /// The highest number of an epoch
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=7))]
    epochs: u8,
    /// How many events are published
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=7))]
    entries: u8,
    /// How many crashes there are
    #[arg(long, default_value_t = 0)]
    crashes: u8,
    /// How many times a node is parked
    #[arg(long, default_value_t = 0)]
    parks: u8,
}

impl Size {
    fn bounds(&self) -> Result<Bounds, String> {
        if self.epochs + self.entries > 8 {
            return Err("at most 8 epochs and entries together".into());
        }
        Ok(Bounds {
            voters: self.voters,
            epochs: self.epochs,
            entries: self.entries,
            crashes: self.crashes,
            parks: self.parks,
        })
    }
}

fn main() -> ExitCode {
    let result = match Command::parse().task {
        Task::Check(size) => size.bounds().and_then(check),
        Task::Walk {
            seeds,
            from,
            depth,
            size,
        } => size
            .bounds()
            .and_then(|bounds| walk(bounds, from, seeds, depth)),
        Task::Mutants => mutants(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn check(bounds: Bounds) -> Result<(), String> {
    let found = exhaust(Quorum::new(bounds), None);
    let Exhausted {
        unique,
        made,
        depth,
        elapsed,
        ..
    } = found;
    let seconds = elapsed.as_secs_f64();
    println!("{unique} states, {made} made, {depth} deep, {seconds:.1} s");
    for name in &found.missing {
        let note = if needs_parks(name) && bounds.parks == 0 {
            " (needs --parks)"
        } else {
            ""
        };
        println!("never: {name}{note}");
    }
    match found.violation {
        Some(violation) => Err(told(&violation)),
        None => Ok(()),
    }
}

fn walk(bounds: Bounds, from: u64, seeds: u64, depth: usize) -> Result<(), String> {
    let walked = walks(
        &Quorum::new(bounds),
        from..from.saturating_add(seeds),
        depth,
    );
    let (count, steps) = (walked.walks, walked.steps);
    let seconds = walked.elapsed.as_secs_f64();
    println!("{count} walks, {steps} steps, {seconds:.1} s");
    match walked.violation {
        Some((seed, violation)) => Err(format!("seed {seed}: {}", told(&violation))),
        None => Ok(()),
    }
}

fn told(violation: &Violation) -> String {
    let mut told = format!("not so: {}", violation.property);
    for step in &violation.steps {
        told += &format!("\n  {step:?}");
    }
    told
}

fn mutants() -> Result<(), String> {
    println!("| mutant | every state | | random walks | |");
    println!("|---|---|---|---|---|");
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let kill = Kill::attempt(mutant);
        println!("| {mutant} | {} | {} |", by_states(&kill), by_walks(&kill));
        if !kill.is_certain() {
            survivors.push(mutant.name());
        }
    }
    if survivors.is_empty() {
        Ok(())
    } else {
        Err(format!("not noticed: {}", survivors.join(", ")))
    }
}

fn by_states(kill: &Kill) -> String {
    let Some(found) = &kill.exhausted else {
        return "too deep | –".into();
    };
    let (unique, seconds) = (found.unique, found.elapsed.as_secs_f64());
    match &found.violation {
        Some(violation) => {
            let (property, steps) = (violation.property, violation.steps.len());
            format!("{property} | {steps} steps, {unique} states, {seconds:.1} s")
        }
        None => format!("**survives** | {unique} states, {seconds:.1} s"),
    }
}

fn by_walks(kill: &Kill) -> String {
    let walked = &kill.walked;
    let (walks, seconds) = (walked.walks, walked.elapsed.as_secs_f64());
    match &walked.violation {
        Some((_, violation)) => {
            let (property, steps) = (violation.property, violation.steps.len());
            format!("{property} | walk {walks}, {steps} steps, {seconds:.2} s")
        }
        None => format!("**survives** | {walks} walks, {seconds:.1} s"),
    }
}
