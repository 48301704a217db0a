//! The threads that own the disk. Nothing here decides anything: writes are gathered into groups
//! by `tetrarch_log`, and what became of them goes back to the worker that asked.
//!
//! Four kinds of thread: one writes and syncs the WAL, one copies it into segments, a few read, and
//! one looks for damage. File work never runs on a thread that also serves the network.

mod flusher;
mod reads;
mod scrub;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use flusher::{AfterSnapshot, FlushHandle, FlushOrder, Seal};
pub(crate) use reads::{ReadHandle, ReadOutcome, Source};
pub(crate) use scrub::ScrubHandle;
pub(crate) use writer::{Opening, Origin, StoreEvent, StoreEvents, WriteHandle};

use std::sync::Arc;

use tetrarch_log::RealDisk;
use tokio::sync::watch;

/// Turned true by whichever of the threads finds that the store has failed, also if nobody waits for what
/// it was doing: the process must end then.
pub(crate) type StoreFailed = Arc<watch::Sender<bool>>;

/// The WAL's writer over the real disk.
pub(crate) type Writer = tetrarch_log::Writer<RealDisk>;
/// The flusher over the real disk.
pub(crate) type Flusher = tetrarch_log::Flusher<RealDisk>;
/// The reader over the real disk.
pub(crate) type Reader = tetrarch_log::Reader<RealDisk>;
