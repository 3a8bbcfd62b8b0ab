//! libFuzzer over [`doghouse_fuzz::receiving`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::receiving(octets));
