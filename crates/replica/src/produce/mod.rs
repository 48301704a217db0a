//! The write path (protocol §8): a request is judged, waits in `staging` with others of its
//! producer, becomes part of a batch in `forming`, and is answered from `in_flight` once that
//! batch is committed.

mod accept;
mod forming;
mod in_flight;
mod staging;
#[cfg(test)]
mod tests;

pub(crate) use in_flight::InFlight;
pub(crate) use staging::Staging;
