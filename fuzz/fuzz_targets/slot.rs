//! The small files of a store.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tetrarch_log::fuzzing::slot(bytes));
