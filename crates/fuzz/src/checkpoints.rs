//! Readers of checkpoints: what opens is read to its end.

use emobox_checkpoint::{Checkpoint, CheckpointError};

/// Bytes that one input may make the reader copy out; beyond it, tensors are opened and not read.
const READ_BYTES: usize = 1 << 24;

fn exhaust(opened: Result<Checkpoint, CheckpointError>) {
    let checkpoint = match opened {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            // Every message must be printable.
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut budget = READ_BYTES;
    for name in checkpoint.names() {
        let shape = checkpoint.shape(name).unwrap();
        let elements = if shape.contains(&0) {
            0
        } else {
            shape.iter().product::<usize>()
        };
        if elements * 4 > budget {
            continue;
        }
        if let Ok(values) = checkpoint.read(name) {
            assert_eq!(values.len(), elements);
            budget -= elements * 4;
        }
    }
    drop(checkpoint.config());
    drop(checkpoint.digest().unwrap());
}

/// The pickles of the magic number and of the protocol.
const HEAD: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";

/// A PyTorch checkpoint as a whole, zip container and all.
pub(crate) fn archive(input: &[u8]) {
    exhaust(Checkpoint::from_bytes("archive", input.to_vec()));
}

/// A PyTorch checkpoint of before version 1.6, also with the magic number in place so that the rest is reached.
pub(crate) fn legacy(input: &[u8]) {
    exhaust(Checkpoint::from_bytes("legacy", input.to_vec()));
    exhaust(Checkpoint::from_bytes("legacy", [HEAD, input].concat()));
}

/// The pickle inside a PyTorch archive; beside it stand three storages.
pub(crate) fn pickle(pickle: &[u8]) {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in [
        ("x/data.pkl", pickle),
        ("x/data/0", &[0x3c; 64]),
        ("x/data/1", &[0; 8]),
    ] {
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
    exhaust(Checkpoint::from_bytes("pickle", bytes));
}

/// A safetensors file: as it is, and as the header, which gets a matching length and some data behind it.
pub(crate) fn safetensors(input: &[u8]) {
    exhaust(Checkpoint::from_bytes("raw", input.to_vec()));
    let mut bytes = (input.len() as u64).to_le_bytes().to_vec();
    bytes.extend(input);
    bytes.extend([0x3c; 64]);
    exhaust(Checkpoint::from_bytes("framed", bytes));
}

/// The index of a sharded checkpoint, in a folder with one shard.
pub(crate) fn index(input: &[u8]) {
    let folder = crate::folder();
    let shard = folder.join("a.safetensors");
    if !shard.exists() {
        let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let bytes = [&(header.len() as u64).to_le_bytes(), &header[..], &[0; 4]].concat();
        std::fs::write(shard, bytes).unwrap();
    }
    std::fs::write(folder.join("model.safetensors.index.json"), input).unwrap();
    exhaust(Checkpoint::open(folder));
}
