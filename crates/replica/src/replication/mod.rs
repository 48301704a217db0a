//! How batches get from the leader to the replicas and become committed (protocol §8).
//!
//! The leader's side: `leadership` holds what a leader knows, `follower` what it knows of one
//! replica, `push` sends, `acks` hears, `commit` decides, `check_quorum` notices that nobody
//! listens. The replica's side: `append` takes batches in and `following` knows the leader.
//! `fencing` is where a higher epoch ends everything said in a lower one.

mod acks;
mod append;
mod check_quorum;
mod commit;
mod controls;
mod fencing;
mod follower;
mod following;
mod leadership;
mod message;
mod push;
#[cfg(test)]
mod tests;

pub use append::to_acknowledge;
pub use commit::committed_by_count;
pub(crate) use controls::Controls;
pub(crate) use follower::{Flow, Follower};
pub(crate) use following::Following;
pub(crate) use leadership::{Leadership, chance_below, nth_latest};
pub(crate) use message::is_of_repair;
