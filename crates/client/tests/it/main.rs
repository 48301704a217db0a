//! The client against real QUIC on loopback, with certificates made for the occasion and a small
//! mesh that speaks the protocol of clients and can be told to misbehave.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::print_stdout, reason = "measurements print what they measured")]

mod admin;
mod authority;
mod frames;
mod log;
mod mesh;
mod node;
mod producer;
mod subscription;
mod tls;
