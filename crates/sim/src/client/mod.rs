//! The clients of a run: producers that retry, consumers that compare, operators.

mod consumer;
mod demand;
mod producer;

pub(crate) use consumer::Consumer;
pub(crate) use producer::{Asked, Producer, payload, sender_of};
