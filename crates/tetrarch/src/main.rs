//! The `tetrarch` program: nodes, and everything one says to them from a terminal.
//!
//! `cli` is the command line, `commands` does what it says, `config` is `node.toml`, `mesh` the
//! directory that `init` makes, `output` the only place that prints, `error` and `exit` what a
//! script sees of a failure.

#![allow(
    unreachable_pub,
    reason = "a program exports nothing; `pub` means the rest of it"
)]

mod cli;
mod commands;
mod config;
mod error;
mod exit;
mod mesh;
mod names;
mod output;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;
use exit::Exit;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            output::error(&error);
            error.exit().into()
        }
    }
}
