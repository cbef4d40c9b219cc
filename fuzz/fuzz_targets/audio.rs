#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| emobox_fuzz::run("audio", input));
