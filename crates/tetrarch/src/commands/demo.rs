//! `tetrarch demo`: the main promise, on this machine.

use std::path::PathBuf;
use std::time::Duration;

use crate::demo::{Plan, play};
use crate::error::Error;
use crate::interrupt::unless_interrupted;
use crate::{output, runtime};

/// Starts three nodes, publishes events at full speed, kills the leader in the middle and starts it
/// again, then reads everything back from each node: nothing acknowledged may be lost, duplicated
/// or out of order. Ends by itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Publishes the lines of this file, over and over, instead of the bundled ones.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Works in this directory and keeps it; else in a temporary one.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// For how many seconds events are published.
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=30))]
    seconds: u64,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
/// If it cannot be played to its end, or a promise was broken.
pub fn run(args: &Args) -> Result<(), Error> {
    let plan = Plan {
        input: args.input.clone(),
        dir: args.dir.clone(),
        publish_for: Duration::from_secs(args.seconds),
    };
    let outcome = runtime::run(unless_interrupted(play(&plan)))?;
    if args.json {
        output::json(&outcome)?;
    } else {
        output::data(outcome.text())?;
    }
    outcome.check()
}
