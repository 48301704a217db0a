//! The file of a fork.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tetrarch_log::fuzzing::fork(bytes));
