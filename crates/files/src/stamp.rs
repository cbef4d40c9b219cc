use crate::{FileError, Sha256, sha256_file};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The state of a file: enough to check, mostly without reading it, whether the file is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Its size.
    pub bytes: u64,
    /// Its modification time in nanoseconds since 1970.
    pub changed: u64,
    /// Its inode number; 0 if the system has none.
    pub inode: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl Stamp {
    /// Reads a file.
    pub fn of(path: &Path) -> Result<Self, FileError> {
        let (bytes, changed, inode) = outside(path).map_err(|e| FileError::io("read", path, e))?;
        Ok(Self {
            bytes,
            changed,
            inode,
            sha256: sha256_file(path)?,
        })
    }

    /// Whether the file has the same content. If size, time and number are the same, the content is assumed to be; a file
    /// that was moved or rewritten is read.
    pub fn holds(&self, path: &Path) -> bool {
        match outside(path) {
            Ok((bytes, ..)) if bytes != self.bytes => false,
            Ok((_, changed, inode)) if (changed, inode) == (self.changed, self.inode) => true,
            Ok(_) => sha256_file(path).is_ok_and(|digest| digest == self.sha256),
            Err(_) => false,
        }
    }

    /// Whether the file has the same size, time and number. Never reads it.
    pub fn looks_the_same(&self, path: &Path) -> bool {
        outside(path).is_ok_and(|found| found == (self.bytes, self.changed, self.inode))
    }

    /// Size and modification time of a file, as in a stamp, without reading it.
    pub fn outside_of(path: &Path) -> std::io::Result<(u64, u64)> {
        outside(path).map(|(bytes, changed, _)| (bytes, changed))
    }
}

/// Size, modification time and number.
fn outside(path: &Path) -> std::io::Result<(u64, u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH);
    let nanoseconds = since.map_or(0, |time| time.as_nanos());
    Ok((
        metadata.len(),
        u64::try_from(nanoseconds).unwrap_or(u64::MAX),
        inode(&metadata),
    ))
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_for_the_same_bytes_and_for_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "one").unwrap();
        let stamp = Stamp::of(&path).unwrap();
        assert!(stamp.holds(&path) && stamp.looks_the_same(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(!stamp.holds(&path));
        // Rewritten: another time, the same bytes.
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(&path, "one").unwrap();
        assert!(stamp.holds(&path) && !stamp.looks_the_same(&path));
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(&path, "two").unwrap();
        assert!(!stamp.holds(&path), "same size, other bytes");
    }
}
