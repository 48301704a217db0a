//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::{
    bench, cert, channel, config, context, demo, dev, format, fsm, init, node, publish, rebalance,
    serve, status, subscribe, verify,
};
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
    Demo(demo::Args),
    Dev(dev::Args),
    Bench(bench::Args),
    Init(init::Args),
    Serve(serve::Args),
    Format(format::Args),
    Cert(cert::Args),
    Channel(channel::Args),
    Node(node::Args),
    Pub(publish::Args),
    Sub(subscribe::Args),
    Status(status::Args),
    Rebalance(rebalance::Args),
    Verify(verify::Args),
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
            Command::Demo(args) => demo::run(&args),
            Command::Dev(args) => dev::run(&args),
            Command::Bench(args) => bench::run(&args),
            Command::Init(args) => init::run(&args),
            Command::Serve(args) => serve::run(&args),
            Command::Format(args) => format::run(&args),
            Command::Cert(args) => cert::run(&args),
            Command::Channel(args) => channel::run(&args),
            Command::Node(args) => node::run(&args),
            Command::Pub(args) => publish::run(&args),
            Command::Sub(args) => subscribe::run(&args),
            Command::Status(args) => status::run(&args),
            Command::Rebalance(args) => rebalance::run(&args),
            Command::Verify(args) => verify::run(&args),
            Command::Context(args) => context::run(&args),
            Command::Fsm(args) => fsm::run(&args),
            Command::Config(args) => config::run(&args),
        }
    }
}
