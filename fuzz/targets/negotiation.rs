//! Lets libFuzzer try `rookery_fuzz::negotiation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::negotiation::check(bytes));
