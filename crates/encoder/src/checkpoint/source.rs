use super::CheckpointError;
use emobox_files::{FileError, Sha256, sha256_bytes, sha256_file};
use emobox_kernels::MappedFile;
use std::path::{Path, PathBuf};

/// One file of a checkpoint.
pub(super) struct Source {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Mapped(MappedFile),
    Owned(Vec<u8>),
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = MappedFile::open(path).map_err(|e| FileError::io("read", path, e))?;
        Ok(Self {
            path: path.to_owned(),
            bytes: Bytes::Mapped(bytes),
        })
    }

    pub(super) fn from_bytes(name: &Path, bytes: Vec<u8>) -> Self {
        Self {
            path: name.to_owned(),
            bytes: Bytes::Owned(bytes),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }

    pub(super) fn digest(&self) -> Result<Sha256, CheckpointError> {
        Ok(match &self.bytes {
            // Read in pieces, so that a digest does not bring a whole file into memory.
            Bytes::Mapped(_) => sha256_file(&self.path)?,
            Bytes::Owned(bytes) => sha256_bytes(bytes),
        })
    }
}
