//! Plausible mistakes in the shipped code, as switches: a check that has never failed proves nothing.
//!
//! Each place where a mistake could break a promise asks [`planted`]. That is constantly false,
//! and compiles to nothing, unless the feature `plant` is set, which only the simulator's table of
//! mutants does.

mod list;
mod switch;

pub use list::Mutant;
#[cfg(feature = "plant")]
pub use switch::plant;
pub use switch::planted;
