//! The events of a produce request; the first byte says how many.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::wire::events(bytes));
