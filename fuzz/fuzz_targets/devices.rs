//! libFuzzer over [`doghouse_fuzz::devices`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::devices(octets));
