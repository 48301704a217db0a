//! What a batch is for.

use crate::DecodeError;

/// The kind of a batch. Every kind but [`BatchKind::Data`] is a control batch: it takes seqs like
/// any other and consumers see it as a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BatchKind {
    /// Events.
    Data = 0,
    /// Padding; takes as many seqs as its count says.
    Noop = 1,
    /// First batch of an epoch.
    EpochStart = 2,
    /// A new channel configuration.
    Config = 3,
    /// Everything up to a seq may be dropped.
    TrimPoint = 4,
    /// A fork was found.
    ForkRef = 5,
    /// A fork was republished up to a seq.
    ForkProgress = 6,
    /// A fork is settled.
    ForkResolved = 7,
    /// Producers are forgotten.
    ProducerExpire = 8,
    /// The channel changes its class.
    ClassChange = 9,
    /// The channel is deleted.
    Delete = 10,
}

impl BatchKind {
    /// Every kind, in the order of the wire values.
    pub const ALL: [Self; 11] = [
        Self::Data,
        Self::Noop,
        Self::EpochStart,
        Self::Config,
        Self::TrimPoint,
        Self::ForkRef,
        Self::ForkProgress,
        Self::ForkResolved,
        Self::ProducerExpire,
        Self::ClassChange,
        Self::Delete,
    ];
}

impl TryFrom<u8> for BatchKind {
    type Error = DecodeError;

    fn try_from(value: u8) -> Result<Self, DecodeError> {
        Self::ALL
            .get(usize::from(value))
            .copied()
            .ok_or(DecodeError::UnknownValue {
                what: "batch kind",
                value: value.into(),
            })
    }
}
