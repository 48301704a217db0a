//! The catalog: which channels exist, who holds them and for how long they keep events, as the
//! fold of the events of the channel `__meta` (protocol §13). The fold is total and deterministic,
//! so that every node that has read the same events knows the same channels. What a node must do
//! about a change comes out as an [`AssignmentChange`]; nothing here ever removes a byte.

mod assignment;
mod change;
mod fold;
mod genesis;
#[cfg(test)]
mod tests;

pub use assignment::AssignmentChange;
pub use change::{CatalogChange, CatalogRefusal};
pub use fold::{Catalog, CatalogPage, MAX_CHANNELS, MAX_TOMBSTONES};
pub use genesis::{Genesis, GenesisNode, MAX_FOUNDERS, MAX_GENESIS_NODES, META_CHANNEL};
