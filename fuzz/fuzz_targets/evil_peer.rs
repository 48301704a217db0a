//! A replica among peers that lie.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::evil_peer::evil_peer(bytes));
