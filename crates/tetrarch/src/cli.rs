//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::{cert, config, context, fsm, init};
use crate::error::Error;
use crate::exit;

/// A replicated event bus: every acknowledged event is on the disks of a majority of nodes.
#[derive(Debug, Parser)]
#[command(name = "tetrarch", version, after_help = exit::Listed.to_string(), max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Cert(cert::Args),
    Context(context::Args),
    Fsm(fsm::Args),
    Config(config::Args),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What the command could not do.
    pub fn run(self) -> Result<(), Error> {
        match self.command {
            Command::Init(args) => init::run(&args),
            Command::Cert(args) => cert::run(&args),
            Command::Context(args) => context::run(&args),
            Command::Fsm(args) => fsm::run(&args),
            Command::Config(args) => config::run(&args),
        }
    }
}
