//! A PyTorch checkpoint of before version 1.6, with the magic number in place so that the rest is reached.
#![no_main]

mod checkpoint;

use emobox_checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;

/// The pickles of the magic number and of the protocol.
const HEAD: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";

fuzz_target!(|input: &[u8]| {
    checkpoint::exhaust(Checkpoint::from_bytes("legacy", input.to_vec()));
    checkpoint::exhaust(Checkpoint::from_bytes("legacy", [HEAD, input].concat()));
});
