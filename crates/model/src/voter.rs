//! The names of voters.

use tetrarch_wire::VoterId;

/// The id of a voter, who is known by its number in the model.
#[must_use]
pub(crate) fn voter(number: u8) -> VoterId {
    VoterId::from_bytes([number + 1; 16])
}
