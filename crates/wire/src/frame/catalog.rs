//! What is written into the catalog channel `__meta` (protocol §13).

use serde::{Deserialize, Serialize};

use super::{
    LabelFilter,
    structure::{Checked, always_valid, check_count, check_name},
};
use crate::{ChannelConfig, ChannelUid, DecodeError, NodeId, Retention, Voter, VoterId, limits};

/// A channel as the catalog records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelEntry {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: ChannelUid,
    /// Its genesis: class and voters.
    pub genesis: ChannelConfig,
    /// How long it keeps events.
    pub retention: Retention,
    /// What its nodes had to satisfy.
    pub filter: LabelFilter,
    /// The voter that is to lead first.
    pub first_leader: VoterId,
}

impl Checked for ChannelEntry {
    fn check(&self) -> Result<(), DecodeError> {
        check_name("channel name", &self.name)?;
        self.genesis.check()?;
        self.filter.check()
    }
}

/// The leader of a channel tells the voters of the catalog's channel, in a frame of that channel, that
/// a wish of the catalog is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementReport {
    /// The channel that was moved.
    pub channel: ChannelUid,
    /// Which of the wishes for it, counted from 1.
    pub version: u64,
}

always_valid!(PlacementReport);

/// One change of the catalog. Each is the payload of one event of `__meta`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatalogCommand {
    /// A channel comes to be.
    Create(ChannelEntry),
    /// A channel keeps its events for another time.
    AlterRetention {
        /// The channel.
        uid: ChannelUid,
        /// From now on.
        retention: Retention,
    },
    /// A channel is deleted.
    Delete {
        /// The channel.
        uid: ChannelUid,
    },
    /// Other nodes are to hold a channel. Its leader carries it out.
    Place {
        /// The channel.
        uid: ChannelUid,
        /// Who is to vote in it.
        voters: Vec<Voter>,
    },
    /// The leader of a channel has carried out what the catalog wants: the voters of the committed
    /// configuration are the wanted ones.
    Placed {
        /// The channel.
        uid: ChannelUid,
        /// Which of the wishes, counted from 1.
        version: u64,
    },
    /// A node is to hold no channel any more, or may hold some again. The catalog's own channel stays where
    /// it is.
    Drain {
        /// The node.
        node: NodeId,
        /// Whether it is to hold none.
        is_drained: bool,
    },
}

impl CatalogCommand {
    /// The bytes of the event.
    ///
    /// # Errors
    /// If the command breaks a limit.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        postcard::to_allocvec(self).map_err(DecodeError::structure("catalog command"))
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are anything but one command.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        super::structure::exact("catalog command", bytes)
    }
}

impl Checked for CatalogCommand {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Create(entry) => entry.check(),
            Self::Place { voters, .. } => {
                check_count("number of voters", voters.len(), limits::MAX_VOTERS)
            }
            Self::AlterRetention { .. }
            | Self::Delete { .. }
            | Self::Placed { .. }
            | Self::Drain { .. } => Ok(()),
        }
    }
}
