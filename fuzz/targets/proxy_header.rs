//! Lets libFuzzer try `rookery_fuzz::proxy_header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::proxy_header::check(bytes));
