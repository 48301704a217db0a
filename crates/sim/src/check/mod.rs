//! What an omniscient observer checks: the invariants of protocol §18, each under its number.

pub(crate) mod available;
pub(crate) mod chronicle;
pub(crate) mod expected;

pub(crate) use chronicle::Chronicle;
pub(crate) use expected::Expected;
