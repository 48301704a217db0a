//! Frames on a stream, cut at a place that the first byte chooses.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::wire::stream(bytes));
