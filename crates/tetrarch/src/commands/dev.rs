//! `tetrarch dev`: a mesh to play with.

use std::path::PathBuf;

use crate::error::Error;
use crate::{dev, runtime};

/// Runs three nodes on this machine until Ctrl-C, and prints what to try.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Works in this directory and keeps it, or goes on with the mesh that is in it; else in a
    /// temporary one.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// If the nodes cannot be started, or do not stop in good order.
pub fn run(args: &Args) -> Result<(), Error> {
    runtime::run(dev::run(args.dir.as_deref()))
}
