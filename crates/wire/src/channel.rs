//! What a channel is: its class, who votes in it, and how long it keeps events.

use std::{fmt, num::NonZeroU8};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{DecodeError, Link, NodeId, Seq, StoreId, VoterId, limits};

/// The promise of a channel (protocol §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChannelClass {
    /// Acknowledged means durable on a majority of the voters; never lost, never reordered.
    Quorum,
    /// Writable on every side of a partition; acknowledged events survive the heal.
    Available(MinCopies),
}

/// On how many stores events of an `available` channel are durable before they are acknowledged, the
/// leader's among them, as long as so many can be reached. At least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MinCopies(NonZeroU8);

impl MinCopies {
    /// The leader's store is enough.
    pub const ONE: Self = Self(NonZeroU8::MIN);

    /// So many.
    ///
    /// # Errors
    /// If it is 0, or more than [`limits::MAX_VOTERS`].
    pub fn new(copies: u8) -> Result<Self, DecodeError> {
        const WHAT: &str = "number of copies";
        if usize::from(copies) > limits::MAX_VOTERS {
            return Err(DecodeError::TooLarge {
                what: WHAT,
                size: copies.into(),
                limit: limits::MAX_VOTERS as u64,
            });
        }
        let copies = NonZeroU8::new(copies).ok_or(DecodeError::Invalid {
            what: WHAT,
            why: "an event that is on no store cannot be acknowledged",
        })?;
        Ok(Self(copies))
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0.get() as usize
    }
}

impl ChannelClass {
    /// The name in configuration, tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Available(_) => "available",
        }
    }
}

impl fmt::Display for ChannelClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A member of a channel's replica set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Voter {
    /// The node.
    pub node: NodeId,
    /// The store it must hold to be this voter.
    pub store: StoreId,
}

impl Voter {
    /// The id under which it votes.
    #[must_use]
    pub fn id(&self) -> VoterId {
        VoterId::derive(self.node, self.store)
    }
}

/// When events may be dropped. A limit of `None` never drops anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Retention {
    /// Drop events older than this many milliseconds.
    pub max_age_ms: Option<u64>,
    /// Drop the oldest events beyond this many bytes.
    pub max_bytes: Option<u64>,
    /// Drop the oldest events beyond this many events.
    pub max_events: Option<u64>,
}

impl Retention {
    /// Keep everything.
    pub const FOREVER: Self = Self {
        max_age_ms: None,
        max_bytes: None,
        max_events: None,
    };
}

/// Who may vote in a channel and under which promise. The first one of a channel is its genesis:
/// it stands at seq 0 on every voter and is hashed into the first link, so that voters that
/// disagree about it can never mistake their logs for each other's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Encoded", into = "Encoded")]
pub struct ChannelConfig {
    /// Where in the log this configuration was written; [`Seq::ZERO`] for the genesis.
    pub seq: Seq,
    /// The promise.
    pub class: ChannelClass,
    /// Which wish of the catalog it carries out, counted from 1; 0 for the genesis.
    pub version: u64,
    /// The voters, in ascending order of [`VoterId`].
    voters: Vec<Voter>,
    /// Their ids: each is a hash, and asked for at every step of a replica.
    ids: Vec<VoterId>,
}

/// A configuration as it is encoded.
#[derive(Serialize, Deserialize)]
struct Encoded {
    seq: Seq,
    class: ChannelClass,
    version: u64,
    voters: Vec<Voter>,
}

impl From<Encoded> for ChannelConfig {
    fn from(encoded: Encoded) -> Self {
        let Encoded {
            seq,
            class,
            version,
            voters,
        } = encoded;
        let ids = voters.iter().map(Voter::id).collect();
        Self {
            seq,
            class,
            version,
            voters,
            ids,
        }
    }
}

impl From<ChannelConfig> for Encoded {
    fn from(config: ChannelConfig) -> Self {
        let ChannelConfig {
            seq,
            class,
            version,
            voters,
            ids: _,
        } = config;
        Self {
            seq,
            class,
            version,
            voters,
        }
    }
}

impl ChannelConfig {
    /// The genesis of a channel with these voters.
    ///
    /// # Errors
    /// If there is no voter, one is named twice, or there are more than [`limits::MAX_VOTERS`].
    pub fn genesis(class: ChannelClass, mut voters: Vec<Voter>) -> Result<Self, DecodeError> {
        voters.sort_by_cached_key(Voter::id);
        let config = Self::from(Encoded {
            seq: Seq::ZERO,
            class,
            version: 0,
            voters,
        });
        config.check()?;
        Ok(config)
    }

    /// This configuration with one voter more; it gets its seq when it is appended.
    ///
    /// # Errors
    /// If the voter is in it already, or there are [`limits::MAX_VOTERS`].
    pub fn with(&self, voter: Voter) -> Result<Self, DecodeError> {
        let voters = self.voters.iter().copied().chain([voter]);
        Self::genesis(self.class, voters.collect())
    }

    /// This configuration without that voter; it gets its seq when it is appended.
    ///
    /// # Errors
    /// If nobody else votes.
    pub fn without(&self, voter: VoterId) -> Result<Self, DecodeError> {
        let others = self.voters.iter().filter(|other| other.id() != voter);
        Self::genesis(self.class, others.copied().collect())
    }

    /// The voters, in ascending order of [`VoterId`].
    #[must_use]
    pub fn voters(&self) -> &[Voter] {
        &self.voters
    }

    /// The ids of the voters, ascending.
    #[must_use]
    pub fn voter_ids(&self) -> &[VoterId] {
        &self.ids
    }

    /// The voter with this id.
    #[must_use]
    pub fn voter(&self, id: VoterId) -> Option<&Voter> {
        let index = self.ids.iter().position(|voter| *voter == id)?;
        self.voters.get(index)
    }

    /// How many voters make a majority.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Whether `voter` votes here.
    #[must_use]
    pub fn contains(&self, voter: VoterId) -> bool {
        self.ids.contains(&voter)
    }

    /// The bytes that are hashed and stored.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        // Serialising to memory fails only for types that refuse to be serialised; these do not.
        postcard::to_allocvec(self)
            .expect("a channel configuration serialises")
            .into()
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are not exactly one valid configuration.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "channel configuration";
        let (config, rest) =
            postcard::take_from_bytes::<Self>(bytes).map_err(DecodeError::structure(WHAT))?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes {
                what: WHAT,
                count: rest.len(),
            });
        }
        config.check()?;
        Ok(config)
    }

    /// The link before the first batch of a channel with this genesis.
    #[must_use]
    pub fn genesis_link(&self) -> Link {
        Link::genesis(&self.encode())
    }

    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        const WHAT: &str = "channel configuration";
        if self.voters.is_empty() {
            return Err(DecodeError::Invalid {
                what: WHAT,
                why: "it has no voter",
            });
        }
        if self.voters.len() > limits::MAX_VOTERS {
            return Err(DecodeError::TooLarge {
                what: "number of voters",
                size: self.voters.len() as u64,
                limit: limits::MAX_VOTERS as u64,
            });
        }
        if let ChannelClass::Available(copies) = self.class
            && copies.get() > self.voters.len()
        {
            return Err(DecodeError::Invalid {
                what: WHAT,
                why: "it asks for more copies than there are voters",
            });
        }
        if !self.ids.is_sorted_by(|one, next| one < next) {
            return Err(DecodeError::Invalid {
                what: WHAT,
                why: "its voters are not in ascending order without repetition",
            });
        }
        Ok(())
    }
}

/// Whether `name` may name a channel: 1 to 255 bytes of letters, digits, `.`, `_`, `-` and `/`,
/// not beginning with `__`, which is kept for the mesh itself.
///
/// # Errors
/// The rule that the name breaks.
pub fn check_channel_name(name: &str) -> Result<(), DecodeError> {
    const WHAT: &str = "channel name";
    if name.is_empty() {
        return Err(DecodeError::Invalid {
            what: WHAT,
            why: "it is empty",
        });
    }
    if name.len() > limits::MAX_NAME_BYTES {
        return Err(DecodeError::TooLarge {
            what: WHAT,
            size: name.len() as u64,
            limit: limits::MAX_NAME_BYTES as u64,
        });
    }
    if name.starts_with("__") {
        return Err(DecodeError::Invalid {
            what: WHAT,
            why: "names beginning with '__' belong to the mesh itself",
        });
    }
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
    {
        return Err(DecodeError::Invalid {
            what: WHAT,
            why: "only letters, digits, '.', '_', '-' and '/' are allowed",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(byte: u8) -> Voter {
        Voter {
            node: NodeId::from_bytes([byte; 16]),
            store: StoreId::from_bytes([byte; 16]),
        }
    }

    #[test]
    fn the_order_in_which_voters_are_named_does_not_change_the_genesis() {
        let one = ChannelConfig::genesis(ChannelClass::Quorum, vec![voter(1), voter(2), voter(3)]);
        let two = ChannelConfig::genesis(ChannelClass::Quorum, vec![voter(3), voter(1), voter(2)]);
        assert_eq!(one.unwrap().genesis_link(), two.unwrap().genesis_link());
    }

    #[test]
    fn a_majority_is_more_than_half() {
        for (voters, majority) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
            let config =
                ChannelConfig::genesis(ChannelClass::Quorum, (1..=voters).map(voter).collect());
            assert_eq!(config.unwrap().majority(), majority);
        }
    }

    #[test]
    fn no_voter_a_repeated_voter_and_trailing_bytes_are_refused() {
        assert!(ChannelConfig::genesis(ChannelClass::Quorum, vec![]).is_err());
        assert!(ChannelConfig::genesis(ChannelClass::Quorum, vec![voter(1), voter(1)]).is_err());
        let config = ChannelConfig::genesis(ChannelClass::Quorum, vec![voter(1)]).unwrap();
        let mut bytes = config.encode().to_vec();
        assert_eq!(ChannelConfig::decode(&bytes), Ok(config));
        bytes.push(0);
        assert!(matches!(
            ChannelConfig::decode(&bytes),
            Err(DecodeError::TrailingBytes { count: 1, .. })
        ));
    }

    #[test]
    fn names_are_checked() {
        for good in ["orders", "eu/orders.v2", "a-b_c"] {
            assert_eq!(check_channel_name(good), Ok(()));
        }
        for bad in ["", "__meta", "or ders", "ordérs"] {
            assert!(check_channel_name(bad).is_err(), "{bad}");
        }
    }
}
