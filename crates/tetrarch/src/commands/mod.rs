//! The commands, one file each: what it takes and what it does.

pub mod bench;
pub mod cert;
pub mod channel;
pub mod config;
pub mod context;
pub mod demo;
pub mod dev;
pub mod format;
pub mod fsm;
pub mod init;
pub mod node;
pub mod publish;
pub mod rebalance;
pub mod serve;
pub mod status;
pub mod subscribe;
pub mod verify;
