//! A run of batches, as in a segment or behind a preamble.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::wire::batches(bytes));
