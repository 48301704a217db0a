//! The `tetrarch` program: nodes, and everything one says to them from a terminal.
//!
//! `cli` is the command line, `commands` does what it says. `config` is `node.toml`, `mesh` the
//! directory that `init` makes, `serve` runs a node from the two, `connect` makes a client of them.
//! `local` runs a whole mesh on this machine, for `demo` and its like. `balance` plans who leads
//! what. `show` is how things look, `output` the only place that prints, `error` and `exit` what a
//! script sees of a failure.

#![allow(
    unreachable_pub,
    reason = "a program exports nothing; `pub` means the rest of it"
)]

mod balance;
mod bench;
mod cli;
mod commands;
mod config;
mod connect;
mod demo;
mod dev;
mod error;
mod exit;
mod feed;
mod interrupt;
mod local;
mod mesh;
mod names;
mod output;
mod picture;
mod runtime;
mod serve;
mod show;

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
