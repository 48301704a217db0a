//! What the scenarios in `tests/` are made of: a mesh of real node processes, the program's own
//! commands as a person would type them, the network between the nodes with its faults, and the check
//! that every node tells the same story and that one log explains what clients saw.

mod binary;
mod dice;
pub mod history;
mod http;
mod link;
mod mesh;
mod node;
mod ports;
mod producer;
mod wait;

pub use binary::{Output, tetrarch};
pub use dice::Dice;
pub use http::get;
pub use link::{LinkFaults, Links, Tally};
pub use mesh::{Mesh, MeshOptions};
pub use node::{NodeProcess, Signal};
pub use ports::Port;
pub use producer::{Acknowledged, Producer, numbered};
pub use wait::{PATIENCE, eventually, eventually_some};
