//! The producer table as bytes, so that a start need not read the whole log.

use std::collections::BTreeMap;

use bytes::Bytes;
use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::ProducerId;
use thiserror::Error;

use super::{Numbers, ProducerTable, table::Producer};

/// A table of producers that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TableError {
    /// The bytes are no table.
    #[error("the snapshot of the producers cannot be read: {0}")]
    Structure(postcard::Error),
    /// Bytes follow the table.
    #[error("{0} bytes follow the snapshot of the producers")]
    TrailingBytes(usize),
    /// What it says of a producer no log can have said.
    #[error("the snapshot of the producers contradicts itself about {0:?}")]
    Contradiction(ProducerId),
}

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
    pub(crate) fn restore(
        bytes: &[u8],
        numbers: Numbers,
        window: usize,
    ) -> Result<Self, TableError> {
        let (producers, rest): (BTreeMap<ProducerId, Producer>, _) =
            postcard::take_from_bytes(bytes).map_err(TableError::Structure)?;
        if !rest.is_empty() {
            return Err(TableError::TrailingBytes(rest.len()));
        }
        match producers
            .iter()
            .find(|(_, producer)| !producer.is_of_a_log(numbers))
        {
            Some((id, _)) => Err(TableError::Contradiction(*id)),
            None => Ok(Self::with(producers, numbers, window)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::{Link, ProducerEpoch, ProducerSeq, Seq};

    use super::*;
    use crate::producer::{gaps::Gaps, table::Run};

    #[test]
    fn an_empty_table_reads_back_and_rubbish_is_refused() {
        let bytes = ProducerTable::new(Numbers::Contiguous, 4).snapshot();
        assert_eq!(
            ProducerTable::restore(&bytes, Numbers::Contiguous, 4)
                .unwrap()
                .len(),
            0
        );
        assert!(ProducerTable::restore(&[9], Numbers::Contiguous, 4).is_err());
        let trailing = TableError::TrailingBytes(1);
        assert_eq!(
            ProducerTable::restore(&[0, 0], Numbers::Contiguous, 4).err(),
            Some(trailing)
        );
    }

    #[test]
    fn a_table_that_no_log_can_have_made_is_refused() {
        let run = |base, count, first| Run {
            base: ProducerSeq::new(base),
            count,
            first: Seq::new(first),
            link: Link::from_bytes([0; 16]),
        };
        let restore = |next, runs: &[Run]| {
            let producer = Producer {
                epoch: ProducerEpoch::new(0),
                next: ProducerSeq::new(next),
                gaps: Gaps::default(),
                runs: runs.iter().copied().collect(),
            };
            let id = ProducerId::from_bytes([7; 16]);
            let bytes = postcard::to_allocvec(&BTreeMap::from([(id, producer)])).unwrap();
            ProducerTable::restore(&bytes, Numbers::Contiguous, 4).is_ok()
        };
        assert!(restore(6, &[run(1, 3, 10), run(4, 2, 20)]));
        assert!(!restore(7, &[run(1, 3, 10), run(4, 2, 20)]), "another next");
        assert!(!restore(6, &[run(1, 2, 10), run(4, 2, 20)]), "a gap");
        assert!(
            !restore(6, &[run(1, 3, 20), run(4, 2, 10)]),
            "back in the log"
        );
        assert!(
            !restore(6, &[run(1, 3, 10), run(4, 2, 12)]),
            "twice at a place"
        );
        assert!(!restore(1, &[run(1, 0, 10)]), "an empty batch");
        assert!(
            !restore(1 << 32, &[run(1, u32::MAX, 10)]),
            "more than a batch"
        );
        assert!(!restore(1, &[]), "no batch");
    }
}
