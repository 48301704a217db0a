//! Runs the models: `check` visits every state within bounds, `walk` takes random walks, and
//! `mutants` shows which mistakes either of them notices, and how soon.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod report;
mod size;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tetrarch_model::{
    available::{self, Available},
    exhaust,
    quorum::{self, Quorum},
    walks,
};

use crate::size::{Class, Size};

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
    Mutants {
        /// Those of one class only
        #[arg(long, value_enum)]
        class: Option<Class>,
    },
}

fn main() -> ExitCode {
    let result = match Command::parse().task {
        Task::Check(size) => check(&size),
        Task::Walk {
            seeds,
            from,
            depth,
            size,
        } => walk(&size, from, seeds, depth),
        Task::Mutants { class } => mutants(class),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn check(size: &Size) -> Result<(), String> {
    match size.class {
        Class::Quorum => {
            let bounds = size.quorum()?;
            report::exhausted(&exhaust(Quorum::new(bounds), None), |name| {
                (quorum::needs_parks(name) && bounds.parks == 0).then_some("--parks")
            })
        }
        Class::Available => {
            let bounds = size.available()?;
            report::exhausted(&exhaust(Available::new(bounds), None), |name| {
                bounds.lacks(name)
            })
        }
    }
}

fn walk(size: &Size, from: u64, seeds: u64, depth: usize) -> Result<(), String> {
    let seeds = from..from.saturating_add(seeds);
    let walked = match size.class {
        Class::Quorum => walks(&Quorum::new(size.quorum()?), seeds, depth),
        Class::Available => walks(&Available::new(size.available()?), seeds, depth),
    };
    report::walked(&walked)
}

fn mutants(class: Option<Class>) -> Result<(), String> {
    let of_class = |wanted| class.is_none_or(|class| class == wanted);
    let quorum = quorum::Mutant::ALL.into_iter();
    let available = available::Mutant::ALL.into_iter();
    let quorum = quorum.filter(|_| of_class(Class::Quorum));
    let available = available.filter(|_| of_class(Class::Available));
    report::mutants(
        quorum
            .map(quorum::Mutant::attempt)
            .chain(available.map(available::Mutant::attempt)),
    )
}
