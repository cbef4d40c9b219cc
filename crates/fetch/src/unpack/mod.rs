//! Unpacks archives into folders. No archive can write outside the folder, through a link, or without limit.

mod error;
mod tarball;
mod zipped;

pub use error::UnpackError;

use crate::Continue;
use emobox_files::{FileError, join_inside};
use serde::Serialize;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Maximum nesting depth of archives inside archives (as in MELD's release).
const NESTING: usize = 2;
const COPY_BYTES: usize = 1 << 17;

/// The maximum size of an unpacked archive. A bomb of a few kilobytes exceeds it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Total bytes allowed regardless of the archive's size.
    pub free_bytes: u64,
    /// Additional bytes per byte of the archive. Speech compresses by 1 to 3, text by 10.
    pub ratio: u64,
    /// Files and folders.
    pub entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            free_bytes: 64 << 20,
            ratio: 100,
            entries: 2_000_000,
        }
    }
}

/// The result of unpacking an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unpacked {
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Entries that were not written, with the reason: links, devices, duplicate names.
    pub skipped: Vec<Skipped>,
}

/// An entry that was not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name in the archive.
    pub entry: String,
    /// Why.
    pub reason: String,
}

/// Unpacks a zip, tar, tar.gz or tar.xz, recognised by content, into `folder`, which must be empty or absent; archives
/// inside it are unpacked into folders with their names. `watch` receives the number of bytes written so far.
///
/// On an error the folder holds a part of the content: unpack into a temporary one and rename.
pub fn unpack(
    archive: &Path,
    folder: &Path,
    limits: &Limits,
    watch: &mut dyn FnMut(u64) -> Continue,
) -> Result<Unpacked, UnpackError> {
    let size = std::fs::metadata(archive)
        .map_err(|e| FileError::io("read", archive, e))?
        .len();
    let mut budget = Budget {
        most: limits
            .free_bytes
            .saturating_add(size.saturating_mul(limits.ratio)),
        entries_left: limits.entries,
        result: Unpacked::default(),
        watch,
    };
    let mut pending = vec![(archive.to_owned(), folder.to_owned(), 0)];
    while let Some((archive, folder, depth)) = pending.pop() {
        let mut sink = Sink {
            archive: &archive,
            root: &folder,
            budget: &mut budget,
            inner: Vec::new(),
        };
        std::fs::create_dir_all(&folder).map_err(|e| FileError::io("create folder", &folder, e))?;
        open(&archive, &mut sink)?;
        let inner = std::mem::take(&mut sink.inner);
        if depth > 0 {
            std::fs::remove_file(&archive).map_err(|e| FileError::io("remove", &archive, e))?;
        }
        if depth < NESTING {
            for path in inner {
                let place = stem_folder(&path);
                pending.push((path, place, depth + 1));
            }
        }
    }
    Ok(budget.result)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zip,
    Tar,
    TarGz,
    TarXz,
}

fn kind(path: &Path) -> Result<Option<Kind>, FileError> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(512).read_to_end(&mut head))
        .map_err(|e| FileError::io("read", path, e))?;
    Ok(match head.as_slice() {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Kind::Zip),
        [0x1F, 0x8B, 8, ..] => Some(Kind::TarGz),
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Kind::TarXz),
        head if head.get(257..262) == Some(b"ustar") => Some(Kind::Tar),
        _ => None,
    })
}

fn open(archive: &Path, sink: &mut Sink<'_, '_>) -> Result<(), UnpackError> {
    let kind = kind(archive)?.ok_or_else(|| UnpackError::NotAnArchive {
        archive: archive.to_owned(),
    })?;
    let file = File::open(archive).map_err(|e| FileError::io("read", archive, e))?;
    let file = BufReader::with_capacity(COPY_BYTES, file);
    match kind {
        Kind::Zip => zipped::entries(file, sink),
        Kind::Tar => tarball::entries(file, sink),
        Kind::TarGz => tarball::entries(flate2::bufread::MultiGzDecoder::new(file), sink),
        Kind::TarXz => tarball::entries(lzma_rust2::XzReader::new(file, true), sink),
    }
}

/// The folder that an archive is unpacked into if there are several: `train.tar.gz` becomes `train`, beside it.
pub fn stem_folder(archive: &Path) -> PathBuf {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let lower = name.to_ascii_lowercase();
    let ending = [".tar.gz", ".tar.xz", ".tgz", ".txz", ".tar", ".zip"]
        .into_iter()
        .find(|ending| lower.ends_with(ending));
    let stem = ending.map_or(&*name, |ending| &name[..name.len() - ending.len()]);
    if ending.is_none() || stem.is_empty() {
        return archive.with_file_name(format!("{name}.unpacked"));
    }
    archive.with_file_name(stem)
}

/// The remaining limits, shared by an archive and those inside it.
struct Budget<'w> {
    most: u64,
    entries_left: u64,
    result: Unpacked,
    watch: &'w mut dyn FnMut(u64) -> Continue,
}

/// The destination of one archive's entries.
struct Sink<'a, 'w> {
    archive: &'a Path,
    root: &'a Path,
    budget: &'a mut Budget<'w>,
    /// Archives found inside this one.
    inner: Vec<PathBuf>,
}

impl Sink<'_, '_> {
    fn damaged(&self, entry: &str, detail: impl std::fmt::Display) -> UnpackError {
        UnpackError::Damaged {
            archive: self.archive.to_owned(),
            entry: entry.to_owned(),
            detail: detail.to_string(),
        }
    }

    fn skip(&mut self, entry: &str, reason: &str) {
        self.budget.result.skipped.push(Skipped {
            entry: entry.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Counts an entry and returns the path for its name.
    fn place(&mut self, entry: &str) -> Result<PathBuf, UnpackError> {
        let left = self.budget.entries_left.checked_sub(1);
        self.budget.entries_left = left.ok_or_else(|| UnpackError::TooLarge {
            archive: self.archive.to_owned(),
            what: "files",
            limit: self.budget.result.files,
        })?;
        let hostile = || UnpackError::ClimbsOut {
            archive: self.archive.to_owned(),
            entry: entry.to_owned(),
        };
        // `\` separates folders in zips of some Windows tools, so it must not hide a `..`.
        let bad = |part: &str| part == ".." || part.contains('\0') || part.ends_with(':');
        if entry.split(['/', '\\']).any(bad) {
            return Err(hostile());
        }
        join_inside(self.root, entry.trim_end_matches('/')).map_err(|_| hostile())
    }

    fn folder(&mut self, entry: &str) -> Result<(), UnpackError> {
        if matches!(entry, "." | "./" | "") {
            return Ok(());
        }
        let place = self.place(entry)?;
        self.create_folder(entry, &place)
    }

    fn create_folder(&mut self, entry: &str, place: &Path) -> Result<(), UnpackError> {
        match std::fs::create_dir_all(place) {
            Ok(()) => Ok(()),
            Err(_) if place.ancestors().any(Path::is_file) => {
                Err(self.damaged(entry, "one of its folders is a file of the same archive"))
            }
            Err(e) => Err(FileError::io("create folder", place, e).into()),
        }
    }

    /// Writes one file. The folders above it were made here, so none of them is a link.
    fn file(&mut self, entry: &str, content: &mut dyn Read) -> Result<(), UnpackError> {
        let place = self.place(entry)?;
        if let Some(parent) = place.parent() {
            self.create_folder(entry, parent)?;
        }
        let new = File::options().write(true).create_new(true).open(&place);
        let mut file = match new {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                self.skip(
                    entry,
                    "the archive holds this name twice; the first was kept",
                );
                return Ok(());
            }
            Err(e) => return Err(FileError::io("create", &place, e).into()),
        };
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let n = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.damaged(entry, e)),
            };
            let result = &mut self.budget.result;
            result.bytes += n as u64;
            if result.bytes > self.budget.most {
                return Err(UnpackError::TooLarge {
                    archive: self.archive.to_owned(),
                    what: "bytes",
                    limit: self.budget.most,
                });
            }
            file.write_all(&buffer[..n])
                .map_err(|e| FileError::io("write", &place, e))?;
            if (self.budget.watch)(self.budget.result.bytes) == Continue::No {
                return Err(UnpackError::Stopped {
                    archive: self.archive.to_owned(),
                });
            }
        }
        self.budget.result.files += 1;
        drop(file);
        if kind(&place)?.is_some() && has_archive_name(&place) {
            self.inner.push(place);
        }
        Ok(())
    }
}

/// Whether a file name is that of an archive. A document that happens to be a zip (a `.docx`) is left alone.
pub fn has_archive_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    [".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_archives_get_folders_of_their_names() {
        for (archive, folder) in [
            ("a/train.tar.gz", "a/train"),
            ("a/Actor_01.ZIP", "a/Actor_01"),
            ("a/.zip", "a/.zip.unpacked"),
        ] {
            assert_eq!(stem_folder(Path::new(archive)), Path::new(folder));
        }
    }
}
