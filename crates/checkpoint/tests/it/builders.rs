//! Builds files byte by byte, for contents that no program would write.

use emobox_checkpoint::{Checkpoint, CheckpointError};
use std::path::{Path, PathBuf};

/// The folder of files that `parity/checkpoint/make.py` wrote.
pub(crate) fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub(crate) fn golden(name: &str) -> Vec<u8> {
    std::fs::read(goldens().join(name)).unwrap()
}

pub(crate) fn open(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::from_bytes("file.pt", bytes.to_vec())
}

pub(crate) fn refusal(bytes: &[u8]) -> CheckpointError {
    match open(bytes) {
        Ok(checkpoint) => panic!("opened with {:?}", checkpoint.names().collect::<Vec<_>>()),
        Err(error) => error,
    }
}

pub(crate) fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// An archive with stored entries. `claimed` replaces the unpacked size of an entry in the directory.
pub(crate) struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Zip {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            directory: Vec::new(),
            count: 0,
        }
    }

    pub(crate) fn entry(self, name: &str, data: &[u8]) -> Self {
        let at = self.bytes.len() as u32;
        let mut zip = self;
        zip.bytes.extend(b"PK\x03\x04");
        zip.bytes.extend([0; 22]);
        zip.bytes.extend((name.len() as u16).to_le_bytes());
        zip.bytes.extend([0; 2]);
        zip.bytes.extend(name.as_bytes());
        zip.bytes.extend(data);
        let size = data.len() as u32;
        zip.record(name, at, size, size, 0)
    }

    /// A directory record alone, which may claim anything.
    pub(crate) fn record(
        mut self,
        name: &str,
        at: u32,
        stored: u32,
        claimed: u32,
        method: u16,
    ) -> Self {
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend([0; 6]);
        self.directory.extend(method.to_le_bytes());
        self.directory.extend([0; 8]);
        self.directory.extend(stored.to_le_bytes());
        self.directory.extend(claimed.to_le_bytes());
        self.directory.extend((name.len() as u16).to_le_bytes());
        self.directory.extend([0; 12]);
        self.directory.extend(at.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count += 1;
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut bytes = self.bytes;
        let at = bytes.len() as u32;
        bytes.extend(&self.directory);
        bytes.extend(b"PK\x05\x06");
        bytes.extend([0; 4]);
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend((self.directory.len() as u32).to_le_bytes());
        bytes.extend(at.to_le_bytes());
        bytes.extend([0; 2]);
        bytes
    }
}

/// A PyTorch archive with one pickle and storages.
pub(crate) fn archive(pickle: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = Zip::new().entry("x/data.pkl", pickle);
    for (key, bytes) in storages {
        zip = zip.entry(&format!("x/data/{key}"), bytes);
    }
    zip.finish()
}

/// A pickle of protocol 2, instruction by instruction.
#[derive(Clone)]
pub(crate) struct Pickle(Vec<u8>);

impl Pickle {
    pub(crate) fn new() -> Self {
        Self(vec![0x80, 2])
    }

    pub(crate) fn op(mut self, opcodes: &[u8]) -> Self {
        self.0.extend(opcodes);
        self
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
        self
    }

    pub(crate) fn int(mut self, value: i64) -> Self {
        self.0.extend([0x8a, 8]);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn ints(self, values: &[i64]) -> Self {
        let open = self.op(b"(");
        values
            .iter()
            .fold(open, |pickle, &value| pickle.int(value))
            .op(b"t")
    }

    pub(crate) fn class(mut self, module: &str, name: &str) -> Self {
        self.0.extend(format!("c{module}\n{name}\n").bytes());
        self
    }

    /// A float tensor on a storage with this many elements.
    pub(crate) fn tensor(
        self,
        key: &str,
        elements: i64,
        offset: i64,
        shape: &[i64],
        strides: &[i64],
    ) -> Self {
        self.class("torch._utils", "_rebuild_tensor_v2")
            .op(b"((")
            .text("storage")
            .class("torch", "FloatStorage")
            .text(key)
            .text("cpu")
            .int(elements)
            .op(b"tQ")
            .int(offset)
            .ints(shape)
            .ints(strides)
            .op(b"\x89}tR")
    }

    /// A state dict with one float tensor `w`.
    pub(crate) fn state(
        key: &str,
        elements: i64,
        offset: i64,
        shape: &[i64],
        strides: &[i64],
    ) -> Vec<u8> {
        Self::new()
            .op(b"}")
            .text("w")
            .tensor(key, elements, offset, shape, strides)
            .op(b"s")
            .finish()
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'.');
        self.0
    }
}

pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}
