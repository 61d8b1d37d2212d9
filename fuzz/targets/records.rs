//! Lets libFuzzer try `rookery_fuzz::records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::records::check(bytes));
