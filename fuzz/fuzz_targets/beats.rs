//! Beats, acknowledgements and tables of peers that lie.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::beats::beats(bytes));
