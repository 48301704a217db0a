//! The durable store of one node.
//!
//! All channels of a store share one write-ahead log. [`Writer::commit`] makes a group of requests
//! durable with one write and one sync; [`Flusher::flush`] copies what is durable to the segments
//! of each channel, in the background; [`Reader::read`] returns everything durable, from memory or
//! from segments. [`format()`] makes a directory a store, [`open`] recovers it,
//! [`verify()`] looks at one that is not open.
//!
//! Files are reached only through the [`Disk`] trait. The feature `simulation` adds `CrashDisk`, a
//! disk in memory that loses power, tears blocks and runs full on demand.
//!
//! The store's rules are those of protocol §3.3, §3.4, §11 and §12: nothing is reported durable
//! before its sync, a failed sync ends the store for the process, torn groups are discarded,
//! rotten ones are reported, and damage to one channel is no matter of the others.

// What is said of the store from outside is tested from inside as well.
#[cfg(test)]
extern crate self as tetrarch_log;

mod channel;
mod damage;
pub mod disk;
#[cfg(any(test, feature = "simulation"))]
pub mod enumeration;
mod error;
mod files;
mod flusher;
mod fork;
#[cfg(any(test, feature = "simulation"))]
#[doc(hidden)]
pub mod fuzzing;
mod gauge;
mod lsn;
mod op;
mod options;
mod queue;
mod reader;
mod recovery;
#[cfg(any(test, feature = "simulation"))]
pub mod reference;
mod retention;
mod segment;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod verify;
mod wal;
mod writer;

pub use damage::Damage;
#[cfg(any(test, feature = "simulation"))]
pub use disk::CrashDisk;
pub use disk::{Disk, DiskError, DiskFile, Failure, FreeSpace, RealDisk};
pub use error::{ForkReadError, GroupError, LogError, ReadError, Refusal, SealError};
pub use flusher::{FlushProgress, Flusher, Mended, Sealed};
pub use fork::{ForkDamage, ForkSummary};
pub use gauge::{ChannelStats, StoreStats};
pub use op::{WriteOp, WriteRequest};
pub use options::StoreOptions;
pub use queue::{Group, GroupQueue, Issuer, NotTaken, NotTakenBecause};
pub use reader::{Holding, ReadOut, Reader};
pub use store::{OpenedStore, RecoveredChannel, StoreIdentity, format, open};
pub use verify::{Finding, FindingKind, VerifyReport, verify};
pub use writer::{GroupReport, Writer};
