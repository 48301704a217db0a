//! `tetrarch fsm`: the table of roles.

use clap::ValueEnum;
use tetrarch_fsm::render;

use crate::error::Error;
use crate::output;

/// Prints the table of roles: which transition exists, and which signal drives it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Markdown,
    /// For a picture.
    Mermaid,
    /// For programs.
    Json,
}

/// Runs it.
///
/// # Errors
/// If standard output cannot be written to.
pub fn run(args: &Args) -> Result<(), Error> {
    let format = if args.json { Format::Json } else { args.format };
    let text = match format {
        Format::Markdown => render::markdown(),
        Format::Mermaid => render::mermaid(),
        Format::Json => render::json(),
    };
    output::raw(text.as_bytes())
}
