//! Lets libFuzzer try `rookery_fuzz::jid`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rookery_fuzz::jid::check(bytes));
