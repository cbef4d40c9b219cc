//! A PyTorch checkpoint as a whole, zip container and all.
#![no_main]

mod checkpoint;

use emobox_checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    checkpoint::exhaust(Checkpoint::from_bytes("archive", input.to_vec()));
});
