use emobox_files::FileError;
use std::path::PathBuf;

/// An archive that was not unpacked completely.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The content is none of the known formats.
    #[error(
        "unpack {}: this is no zip, tar, tar.gz or tar.xz; if it is a page that a server sent instead of the file, \
         look into it", archive.display()
    )]
    NotAnArchive {
        /// The file.
        archive: PathBuf,
    },
    /// The archive's structure or an entry's content is broken, or compressed in an unsupported way.
    #[error("unpack {}: entry {entry:?}: {detail}; fetch the archive again", archive.display())]
    Damaged {
        /// The archive.
        archive: PathBuf,
        /// The entry, empty for the archive as a whole.
        entry: String,
        /// What is wrong.
        detail: String,
    },
    /// An entry would be written outside the folder. No legitimate archive has one.
    #[error(
        "unpack {}: entry {entry:?} lies outside the folder that it is unpacked into; do not trust the archive",
        archive.display()
    )]
    ClimbsOut {
        /// The archive.
        archive: PathBuf,
        /// The entry.
        entry: String,
    },
    /// The content is larger than that of any release of this size.
    #[error(
        "unpack {}: more than {limit} {what} come out of it, which no archive of its size should hold; nothing was kept",
        archive.display()
    )]
    TooLarge {
        /// The archive.
        archive: PathBuf,
        /// `bytes` or `files`.
        what: &'static str,
        /// The limit that was reached.
        limit: u64,
    },
    /// The caller stopped.
    #[error("unpack {}: stopped", archive.display())]
    Stopped {
        /// The archive.
        archive: PathBuf,
    },
}
