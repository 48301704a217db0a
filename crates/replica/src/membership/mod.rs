//! Who holds a channel and how that changes (protocol §13): the catalog says who is wanted, the
//! leader carries it out, one voter at a time, and what is committed in the channel's own log decides
//! who votes.
//!
//! A node that is to vote follows as a learner first: it is replicated to like a voter and counts for
//! nothing. Whoever is not wanted any more goes on until the catalog says that the change is complete;
//! only then does it let go of the channel.

mod carry_out;
mod members;
mod replica_set;
#[cfg(test)]
mod tests;

pub(crate) use members::Members;
pub use replica_set::ReplicaSet;
pub(crate) use replica_set::TooMany;
