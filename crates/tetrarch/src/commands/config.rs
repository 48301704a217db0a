//! `tetrarch config`: checks a node's configuration, and prints the reference of all settings.

use std::path::PathBuf;

use clap::Subcommand;

use crate::config;
use crate::error::Error;
use crate::output;

/// Checks a node's configuration, or explains what can be configured.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks a file and the TETRARCH_* variables as `serve` would, and starts nothing.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Prints the reference of all settings as Markdown.
    Reference,
}

/// Runs it.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub fn run(args: &Args) -> Result<(), Error> {
    match &args.command {
        Command::Check { file } => {
            config::load(file, &config::environment())?;
            output::say(format_args!("{} is fine", file.display()));
            Ok(())
        }
        Command::Reference => output::raw(config::reference(&config::keys()).as_bytes()),
    }
}
