use super::CheckpointError;
use emobox_files::{FileError, Sha256, Stamp, read_json, sha256_bytes, write_json};
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
            Bytes::Mapped(_) => remembered(&self.path)?,
            Bytes::Owned(bytes) => sha256_bytes(bytes),
        })
    }
}

/// The digest of a file: the one saved beside it (or, if that is not writable, in the
/// user's cache) if size, modification time and inode are unchanged, else a new one.
fn remembered(path: &Path) -> Result<Sha256, CheckpointError> {
    let places = [Some(beside(path)), in_cache(path)];
    for place in places.iter().flatten() {
        if let Ok(stamp) = read_json::<Stamp>(place)
            && stamp.looks_the_same(path)
        {
            return Ok(stamp.sha256);
        }
    }
    let stamp = Stamp::of(path)?;
    // If neither is writable, the file is read again next time.
    let _ = places
        .iter()
        .flatten()
        .find(|place| write_json(place, &stamp).is_ok());
    Ok(stamp.sha256)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".emobox-digest.json");
    name.into()
}

fn in_cache(path: &Path) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")))?;
    let whole = std::path::absolute(path).ok()?;
    let name = sha256_bytes(whole.as_os_str().as_encoded_bytes());
    let name = format!("{}.json", name.short());
    Some(cache.join("emobox").join("digests").join(name))
}
