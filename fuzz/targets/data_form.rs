//! Lets libFuzzer try `rookery_fuzz::data_form`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::data_form::check(bytes));
