//! libFuzzer over [`doghouse_fuzz::mtx`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::mtx(octets));
