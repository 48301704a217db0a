//! What a start must know of the part of a log that it does not read: who votes, what was trimmed, and
//! the producers. As of a committed seq.

use bytes::Bytes;
use tetrarch_wire::{ChannelConfig, DecodeError, Seq};
use thiserror::Error;

use crate::producer::{Numbers, ProducerTable, TableError};

/// A snapshot that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// The bytes are no snapshot.
    #[error("the snapshot cannot be read: {0}")]
    Structure(postcard::Error),
    /// Who votes cannot be read.
    #[error("the configuration in the snapshot cannot be read: {0}")]
    Config(#[from] DecodeError),
    /// The producers cannot be read.
    #[error(transparent)]
    Producers(#[from] TableError),
}

/// A snapshot, read.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) config: ChannelConfig,
    pub(crate) trim_point: Seq,
    pub(crate) producers: ProducerTable,
}

/// Writes what [`Snapshot::decode`] reads.
pub(crate) fn encode(config: &ChannelConfig, trim_point: Seq, producers: &ProducerTable) -> Bytes {
    let front = (config.encode(), trim_point);
    // Serialising to memory fails only for types that refuse to be serialised; these do not.
    let mut bytes = postcard::to_allocvec(&front).expect("bytes and a number serialise");
    bytes.extend_from_slice(&producers.snapshot());
    bytes.into()
}

impl Snapshot {
    /// That of a log of which nothing is committed.
    pub(crate) fn of_nothing(genesis: ChannelConfig, window: usize) -> Self {
        Self {
            trim_point: Seq::ZERO,
            producers: ProducerTable::new(Numbers::of(genesis.class), window),
            config: genesis,
        }
    }

    /// Reads a snapshot; of each producer `window` batches are remembered.
    pub(crate) fn decode(bytes: &[u8], window: usize) -> Result<Self, SnapshotError> {
        let ((config, trim_point), rest): ((Bytes, Seq), _) =
            postcard::take_from_bytes(bytes).map_err(SnapshotError::Structure)?;
        let config = ChannelConfig::decode(&config)?;
        let numbers = Numbers::of(config.class);
        Ok(Self {
            config,
            trim_point,
            producers: ProducerTable::restore(rest, numbers, window)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    #[test]
    fn what_is_written_reads_back_and_rubbish_is_refused() {
        let bench = Bench::follower(3);
        let mut config = bench.replica.config().clone();
        (config.seq, config.version) = (Seq::new(7), 2);
        let bytes = encode(
            &config,
            Seq::new(5),
            &ProducerTable::new(Numbers::Contiguous, 4),
        );
        let read = Snapshot::decode(&bytes, 4).unwrap();
        assert_eq!((read.config, read.trim_point), (config, Seq::new(5)));
        assert_eq!(read.producers.len(), 0);
        for cut in 0..bytes.len() {
            assert!(Snapshot::decode(&bytes[..cut], 4).is_err(), "{cut}");
        }
    }
}
