//! What is known of idempotent producers: a deterministic function of the log, uncommitted batches
//! included (protocol §14). Whoever holds the same log holds the same table, so deduplication
//! survives a failover, and a truncation takes back exactly what the cut batches had done.

mod admission;
mod gaps;
mod snapshot;
mod table;

use tetrarch_wire::ProducerSeq;

pub(crate) use admission::Admission;
pub use snapshot::TableError;
pub(crate) use table::{Numbers, ProducerTable};

/// The number of a producer's first event.
const FIRST: ProducerSeq = ProducerSeq::new(1);
