//! A read-only memory map of a file behind a safe interface.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::{Mmap, MmapOptions};

/// The bytes of a file, mapped read-only.
///
/// The map is private to the process and never written through. Stores and checkpoints are only ever replaced by
/// renaming a new file over the old name, which leaves an open map intact; if another program truncates a mapped file in
/// place, this process ends with a bus error, as does every reader of mapped files.
#[derive(Debug)]
pub struct MappedFile {
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
}

impl MappedFile {
    /// Maps the whole of the file at `path`.
    ///
    /// # Errors
    /// The error of opening or mapping the file; a folder or a device is refused as invalid input.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let message = format!("{} is not a regular file", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        if metadata.len() == 0 {
            return Ok(Self { map: None });
        }
        // SAFETY: the map is read-only and is only accessible as `&[u8]` while it exists. That nobody shortens or rewrites the
        // file in place meanwhile is the convention for every file that this program maps (see the type's docs).
        let map = unsafe { MmapOptions::new().map(&file)? };
        Ok(Self { map: Some(map) })
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or(&[])
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
