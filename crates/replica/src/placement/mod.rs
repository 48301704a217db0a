//! Where a new channel goes, and one whose nodes are drained or lost (protocol §12, §13): a pure choice among the
//! nodes that are alive, from facts that the proposer alone needs to know, because the choice is written
//! into the catalog.

mod absence;
mod choice;
mod node;
#[cfg(test)]
mod tests;

pub use absence::Absences;
pub use choice::{Placement, PlacementError, VoterState, ZONE_LABEL, place, replace};
pub use node::PlacementNode;
