//! How a mesh began.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::records::genesis(bytes));
