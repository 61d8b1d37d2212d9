//! Lets libFuzzer try `rookery_fuzz::sasl`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::sasl::check(bytes));
