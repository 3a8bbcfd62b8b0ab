//! libFuzzer over [`doghouse_fuzz::client_session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::client_session(octets));
