//! libFuzzer over [`doghouse_fuzz::proxy_header`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::proxy_header(octets));
