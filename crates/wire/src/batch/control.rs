//! What control batches say.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::BatchKind;
use crate::{ChannelConfig, DecodeError, ForkId, ProducerId, Seq};

/// The content of a control batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Padding over `count` seqs.
    Noop {
        /// How many seqs it takes; at least 1.
        count: u32,
    },
    /// First batch of an epoch.
    EpochStart {
        /// The highest durable seq that any leader of the epoch before was heard to claim.
        observed_prev_high: Seq,
    },
    /// A new configuration, in force from its own seq on.
    Config(ChannelConfig),
    /// Everything up to and including this seq may be dropped once this batch is committed.
    TrimPoint {
        /// The last seq that may be dropped.
        upto: Seq,
    },
    /// Producers to forget.
    ProducerExpire {
        /// Their ids, ascending.
        producers: Vec<ProducerId>,
    },
    /// Every event of this fork is in the log by now: stores may drop their copies of it, each once this
    /// batch is durable in its own log.
    ForkResolved {
        /// The fork.
        fork: ForkId,
    },
    /// The channel ends here.
    Delete,
}

#[derive(Serialize, Deserialize)]
struct EpochStartBody {
    observed_prev_high: Seq,
}

#[derive(Serialize, Deserialize)]
struct TrimPointBody {
    upto: Seq,
}

#[derive(Serialize, Deserialize)]
struct ForkResolvedBody {
    fork: ForkId,
}

#[derive(Serialize, Deserialize)]
struct ProducerExpireBody {
    producers: Vec<ProducerId>,
}

impl Control {
    /// The kind of batch that carries it.
    #[must_use]
    pub const fn kind(&self) -> BatchKind {
        match self {
            Self::Noop { .. } => BatchKind::Noop,
            Self::EpochStart { .. } => BatchKind::EpochStart,
            Self::Config(_) => BatchKind::Config,
            Self::TrimPoint { .. } => BatchKind::TrimPoint,
            Self::ProducerExpire { .. } => BatchKind::ProducerExpire,
            Self::ForkResolved { .. } => BatchKind::ForkResolved,
            Self::Delete => BatchKind::Delete,
        }
    }

    pub(super) const fn count(&self) -> u32 {
        match self {
            Self::Noop { count } => *count,
            Self::EpochStart { .. }
            | Self::Config(_)
            | Self::TrimPoint { .. }
            | Self::ProducerExpire { .. }
            | Self::ForkResolved { .. }
            | Self::Delete => 1,
        }
    }

    pub(super) fn encode_body(&self) -> Bytes {
        match self {
            Self::Noop { .. } | Self::Delete => Bytes::new(),
            Self::EpochStart { observed_prev_high } => encode(&EpochStartBody {
                observed_prev_high: *observed_prev_high,
            }),
            Self::Config(config) => config.encode(),
            Self::TrimPoint { upto } => encode(&TrimPointBody { upto: *upto }),
            Self::ForkResolved { fork } => encode(&ForkResolvedBody { fork: *fork }),
            Self::ProducerExpire { producers } => encode(&ProducerExpireBody {
                producers: producers.clone(),
            }),
        }
    }

    pub(super) fn decode(
        kind: BatchKind,
        count: u32,
        body: &Bytes,
    ) -> Result<Option<Self>, DecodeError> {
        const WHAT: &str = "control batch";
        let control = match kind {
            BatchKind::Data => return Ok(None),
            BatchKind::Noop => {
                decode_empty(body)?;
                return Ok(Some(Self::Noop { count }));
            }
            BatchKind::EpochStart => {
                let EpochStartBody { observed_prev_high } = decode("epoch start", body)?;
                Self::EpochStart { observed_prev_high }
            }
            BatchKind::Config => Self::Config(ChannelConfig::decode(body)?),
            BatchKind::TrimPoint => {
                let TrimPointBody { upto } = decode("trim point", body)?;
                Self::TrimPoint { upto }
            }
            BatchKind::ProducerExpire => {
                let ProducerExpireBody { producers } = decode("producer expiry", body)?;
                Self::ProducerExpire { producers }
            }
            BatchKind::ForkResolved => {
                let ForkResolvedBody { fork } = decode("settled fork", body)?;
                Self::ForkResolved { fork }
            }
            BatchKind::Delete => {
                decode_empty(body)?;
                Self::Delete
            }
            BatchKind::ForkRef | BatchKind::ForkProgress | BatchKind::ClassChange => {
                return Err(DecodeError::UnknownValue {
                    what: "control batch kind of this version",
                    value: u64::from(kind as u8),
                });
            }
        };
        if count != 1 {
            return Err(DecodeError::Invalid {
                what: WHAT,
                why: "it takes one seq",
            });
        }
        Ok(Some(control))
    }
}

fn encode(body: &impl Serialize) -> Bytes {
    // Serialising to memory fails only for types that refuse to be serialised; these do not.
    postcard::to_allocvec(body)
        .expect("a control body serialises")
        .into()
}

fn decode<T: for<'de> Deserialize<'de>>(
    what: &'static str,
    body: &Bytes,
) -> Result<T, DecodeError> {
    let (value, rest) = postcard::take_from_bytes(body).map_err(DecodeError::structure(what))?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::TrailingBytes {
            what,
            count: rest.len(),
        })
    }
}

fn decode_empty(body: &Bytes) -> Result<(), DecodeError> {
    if body.is_empty() {
        Ok(())
    } else {
        Err(DecodeError::TrailingBytes {
            what: "control batch",
            count: body.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_reads_back() {
        for control in [
            Control::Noop { count: 70_000 },
            Control::EpochStart {
                observed_prev_high: Seq::new(300),
            },
            Control::TrimPoint { upto: Seq::new(12) },
            Control::ProducerExpire {
                producers: vec![ProducerId::from_bytes([3; 16])],
            },
            Control::ForkResolved {
                fork: ForkId::from_bytes([4; 16]),
            },
            Control::Delete,
        ] {
            let body = control.encode_body();
            let read = Control::decode(control.kind(), control.count(), &body);
            assert_eq!(read, Ok(Some(control)));
        }
    }

    #[test]
    fn a_control_batch_with_trailing_bytes_is_refused() {
        let body = Bytes::from_static(&[0]);
        assert!(Control::decode(BatchKind::Delete, 1, &body).is_err());
        assert!(Control::decode(BatchKind::TrimPoint, 1, &Bytes::from_static(&[5, 0])).is_err());
    }
}
