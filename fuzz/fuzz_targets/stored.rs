//! Channel configurations and catalog commands.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::wire::stored(bytes));
