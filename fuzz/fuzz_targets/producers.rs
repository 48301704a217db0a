//! A snapshot of who votes and of producers, and requests after it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::producers::producers(bytes));
