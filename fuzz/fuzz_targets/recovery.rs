//! A store that is damaged and opened again.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::recovery::recovery(bytes));
