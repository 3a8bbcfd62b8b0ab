//! libFuzzer over [`doghouse_fuzz::wire_form`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::wire_form(octets));
