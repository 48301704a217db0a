//! The commands, one file each: what it takes and what it does.

pub mod cert;
pub mod config;
pub mod context;
pub mod fsm;
pub mod init;
