use super::CheckpointError;
use emobox_files::FileError;
use emobox_kernels::MappedFile;
use std::path::{Path, PathBuf};

/// One file of a checkpoint.
pub(super) struct Source {
    path: PathBuf,
    bytes: MappedFile,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = MappedFile::open(path).map_err(|e| FileError::io("read", path, e))?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
