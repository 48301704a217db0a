//! Frames from the outside: their exact bytes, their limits, and what becomes of bytes that are
//! no frame.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

mod bounds;
mod corpus;
mod golden;
mod reader;
mod samples;
mod totality;
