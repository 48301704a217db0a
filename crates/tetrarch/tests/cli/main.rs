//! Drives the built program as a shell would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "tests may unwrap, and export nothing"
)]

mod channel;
mod config;
mod fsm;
mod init;
mod mesh;
mod operations;
mod run;
mod serve;
mod verify;
