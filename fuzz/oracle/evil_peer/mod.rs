//! An honest replica among liars. Whatever well-formed messages its peers make up, in whatever epoch
//! and from whomever, mixed with everything that a node gives its replica, the replica keeps its own
//! promises: [`witness`] says which.

mod cast;
mod disk;
mod forgery;
mod honest;
mod lies;
mod life;
mod node;
mod outsiders;
mod past;
mod tally;
mod unbuilt;
mod witness;

use crate::{cursor::Cursor, trace};
pub use tally::Tally;

/// Lives the life that the bytes tell of.
pub fn evil_peer(bytes: &[u8]) {
    live(bytes);
}

/// The same; says how often what happened.
pub fn live(bytes: &[u8]) -> Tally {
    let mut life = life::Life::begin(bytes);
    life.live();
    life.tally
}
