//! A disk that fills up (protocol §12): `gauge` says how full it is, and `withdraw` lets a replica step
//! out of the way before nothing can be written any more, and come back by itself.

mod gauge;
#[cfg(test)]
mod tests;
mod withdraw;

pub use gauge::DiskGauge;
pub(crate) use withdraw::{Pressure, is_withdrawing};
