//! One frame in a datagram.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::wire::frame(bytes));
