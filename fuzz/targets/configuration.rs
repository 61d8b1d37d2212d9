//! Lets libFuzzer try `rookery_fuzz::configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::configuration::check(bytes));
