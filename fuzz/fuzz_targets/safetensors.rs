//! A safetensors file: the input is the header, which gets a matching length and some data behind it.
#![no_main]

mod checkpoint;

use emobox_checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    checkpoint::exhaust(Checkpoint::from_bytes("raw", input.to_vec()));
    let mut bytes = (input.len() as u64).to_le_bytes().to_vec();
    bytes.extend(input);
    bytes.extend([0x3c; 64]);
    checkpoint::exhaust(Checkpoint::from_bytes("framed", bytes));
});
