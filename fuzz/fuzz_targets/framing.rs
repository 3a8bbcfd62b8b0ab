//! libFuzzer over [`doghouse_fuzz::framing`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::framing(octets));
