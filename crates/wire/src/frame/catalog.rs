//! What is written into the catalog channel `__meta` (protocol §13).

use serde::{Deserialize, Serialize};

use super::{
    LabelFilter,
    structure::{Checked, check_name},
};
use crate::{ChannelConfig, ChannelUid, DecodeError, Retention, VoterId};

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
            Self::AlterRetention { .. } | Self::Delete { .. } => Ok(()),
        }
    }
}
