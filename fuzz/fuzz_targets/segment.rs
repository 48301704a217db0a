//! A segment and its index.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tetrarch_log::fuzzing::segment(bytes));
