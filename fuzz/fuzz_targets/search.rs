#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| earthcatalog_fuzz_targets::fuzz_search(data));
