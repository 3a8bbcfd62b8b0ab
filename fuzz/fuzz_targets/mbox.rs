//! libFuzzer over [`doghouse_fuzz::mbox`].
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| doghouse_fuzz::mbox(octets));
