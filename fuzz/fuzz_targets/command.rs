//! libFuzzer over [`doghouse_fuzz::command`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::command(octets));
