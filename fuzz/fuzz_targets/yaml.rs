#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ooni_fuzz::yaml::run(data));
