//! The four roles a node can have in a channel.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::DecodeError;

/// A node's part in one channel. The numbers are the wire values and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum ReplicaRole {
    /// Orders and acknowledges the channel's events.
    Leader = 0,
    /// Follows a leader and holds a copy.
    Replica = 1,
    /// Stands for election.
    Candidate = 2,
    /// Takes no part: not selected, closed, or withdrawn.
    Idle = 3,
}

impl ReplicaRole {
    /// Every role, in the order of the wire values.
    pub const ALL: [Self; 4] = [Self::Leader, Self::Replica, Self::Candidate, Self::Idle];

    /// The name as operators see it in metrics and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leader => "Leader",
            Self::Replica => "Replica",
            Self::Candidate => "Candidate",
            Self::Idle => "Idle",
        }
    }
}

impl fmt::Display for ReplicaRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<ReplicaRole> for u8 {
    fn from(role: ReplicaRole) -> Self {
        role as Self
    }
}

impl TryFrom<u8> for ReplicaRole {
    type Error = DecodeError;

    fn try_from(value: u8) -> Result<Self, DecodeError> {
        Self::ALL
            .get(usize::from(value))
            .copied()
            .ok_or(DecodeError::UnknownValue {
                what: "replica role",
                value: value.into(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_values_are_zero_to_three_in_this_order() {
        let values: Vec<u8> = ReplicaRole::ALL.into_iter().map(u8::from).collect();
        assert_eq!(values, [0, 1, 2, 3]);
        assert_eq!(ReplicaRole::try_from(2), Ok(ReplicaRole::Candidate));
        assert!(ReplicaRole::try_from(4).is_err());
    }
}
