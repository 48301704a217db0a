//! A disk that fills up (protocol §12): `gauge` says how full it is, and `withdraw` lets a replica step
//! out of the way before nothing can be written any more, and come back by itself. A leader that is left
//! with such as have withdrawn gives up: `stranded`.

mod gauge;
mod stranded;
#[cfg(test)]
mod tests;
mod withdraw;

pub use gauge::DiskGauge;
pub(crate) use withdraw::{Pressure, is_withdrawing};
