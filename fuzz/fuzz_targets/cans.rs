#![no_main]
#![forbid(unsafe_code)]

#[path = "../src/cans.rs"]
mod cans;

libfuzzer_sys::fuzz_target!(|data: &[u8]| cans::run(data));
