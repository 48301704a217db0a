//! The producer table as bytes, so that a start need not read the whole log.

use std::collections::BTreeMap;

use bytes::Bytes;
use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::ProducerId;
use thiserror::Error;

use super::{ProducerTable, table::Producer};

/// A snapshot of the producers that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the snapshot of the producers cannot be read: {0}")]
pub struct SnapshotError(postcard::Error);

impl ProducerTable {
    /// The committed part of the table.
    pub(crate) fn snapshot(&self) -> Bytes {
        // Serialising to memory fails only for types that refuse to be serialised; these do not.
        let producers = if planted(Mutant::SnapshotOfUncommitted) {
            self.producers.clone()
        } else {
            self.committed().producers
        };
        postcard::to_allocvec(&producers)
            .expect("a table of producers serialises")
            .into()
    }

    /// Reads what [`Self::snapshot`] wrote.
    pub(crate) fn restore(bytes: &[u8], window: usize) -> Result<Self, SnapshotError> {
        let producers: BTreeMap<ProducerId, Producer> =
            postcard::from_bytes(bytes).map_err(SnapshotError)?;
        Ok(Self::with(producers, window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_reads_back_and_rubbish_is_refused() {
        let bytes = ProducerTable::new(4).snapshot();
        assert_eq!(ProducerTable::restore(&bytes, 4).unwrap().len(), 0);
        assert!(ProducerTable::restore(&[9], 4).is_err());
    }
}
