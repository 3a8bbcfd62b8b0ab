//! libFuzzer over [`doghouse_fuzz::aliases`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::aliases(octets));
