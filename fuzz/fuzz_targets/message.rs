//! libFuzzer over [`doghouse_fuzz::message`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::message(octets));
