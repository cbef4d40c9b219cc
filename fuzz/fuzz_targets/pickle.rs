//! The pickle inside a PyTorch archive: the input is `data.pkl`, beside it stand three storages.
#![no_main]

mod checkpoint;

use emobox_checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pickle: &[u8]| {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in [("x/data.pkl", pickle), ("x/data/0", &[0x3c; 64]), ("x/data/1", &[0; 8])] {
        let (at, size) = (bytes.len() as u32, data.len() as u32);
        bytes.extend(b"PK\x03\x04");
        bytes.extend([0; 22]);
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend(name.bytes());
        bytes.extend(data);
        directory.extend(b"PK\x01\x02");
        directory.extend([0; 16]);
        directory.extend(size.to_le_bytes());
        directory.extend(size.to_le_bytes());
        directory.extend((name.len() as u32).to_le_bytes());
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.bytes());
    }
    let at = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0\x03\0\x03\0");
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend([0; 2]);
    checkpoint::exhaust(Checkpoint::from_bytes("pickle", bytes));
});
