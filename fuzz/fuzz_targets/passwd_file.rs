//! libFuzzer over [`doghouse_fuzz::passwd_file`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::passwd_file(octets));
