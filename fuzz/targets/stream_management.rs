//! Lets libFuzzer try `rookery_fuzz::stream_management`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::stream_management::check(bytes));
