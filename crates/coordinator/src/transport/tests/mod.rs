//! Real QUIC on loopback, between nodes that only remember what they were told.

mod abuse;
mod authority;
mod clients;
mod exchange;
mod frames;
mod lifecycle;
mod node;
mod recorder;
mod refusal;
mod stranger;
