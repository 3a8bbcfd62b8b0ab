//! libFuzzer over [`doghouse_fuzz::configuration`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::configuration(octets));
