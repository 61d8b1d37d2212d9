//! Lets libFuzzer try `rookery_fuzz::scanner`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::scanner::check(bytes));
