//! libFuzzer over [`doghouse_fuzz::server_session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::server_session(octets));
