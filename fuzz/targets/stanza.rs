//! Lets libFuzzer try `rookery_fuzz::stanza`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::stanza::check(bytes));
