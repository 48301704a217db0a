//! The vocabulary of a Tetrarch mesh: identifiers, sequence numbers, epochs, roles, the batch
//! (the unit that is written, replicated and hash-linked) and every frame that crosses a
//! connection, with their codecs and limits.
//!
//! This crate is pure. It reads no clock, opens no file and knows no runtime. Every decoder is
//! total: any byte string yields a value or a typed error, lengths are checked before anything is
//! allocated, and bytes left over after a value are an error.

pub mod batch;
pub mod channel;
pub mod checksum;
mod epoch;
mod error;
pub mod frame;
mod hard_state;
mod id;
pub mod limits;
mod role;
mod seq;
mod varint;

pub use batch::{Batch, BatchHeader, BatchKind, Event};
pub use channel::{ChannelClass, ChannelConfig, MinCopies, Retention, Voter};
pub use checksum::Link;
pub use epoch::{Epoch, EpochStart};
pub use error::DecodeError;
pub use frame::Frame;
pub use hard_state::{HardState, Limbo};
pub use id::{Boot, ChannelUid, ClusterId, ForkId, NodeId, ProducerId, StoreId, VoterId};
pub use role::ReplicaRole;
pub use seq::{LogPosition, ProducerEpoch, ProducerSeq, Seq};
