//! libFuzzer over [`doghouse_fuzz::reply`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::reply(octets));
