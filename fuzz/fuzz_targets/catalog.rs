//! Commands to the catalog, in any order.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::records::catalog(bytes));
