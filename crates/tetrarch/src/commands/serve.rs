//! `tetrarch serve`: runs a node.

use std::path::PathBuf;

use crate::error::Error;
use crate::{local, runtime, serve};

/// Runs one node in the foreground. SIGTERM hands its channels over and stops it, SIGHUP makes it
/// take up its certificates anew.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The node's configuration.
    #[arg(long, env = "TETRARCH_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// Ends when standard input does.
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

/// Runs it.
///
/// # Errors
/// If the node cannot be started, or its store fails.
pub fn run(args: &Args) -> Result<(), Error> {
    if args.end_with_parent {
        local::end_with_parent()?;
    }
    let file = serve::configuration(&args.config)?;
    serve::logging::begin(&file.log);
    runtime::with_threads(file.runtime.threads)?.block_on(serve::run(file))
}
