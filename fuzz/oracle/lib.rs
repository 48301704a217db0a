//! What must hold of every input of the fuzz targets. The targets call these functions with what the
//! fuzzer makes up; tests of the packages call them with every input that is kept in `corpus/` and
//! with inputs that a seed makes up. Nothing that was found once is forgotten by those who have no
//! fuzzer.

pub mod beats;
mod cursor;
pub mod evil_peer;
pub mod producers;
pub mod records;
pub mod recovery;
mod trace;
pub mod wire;
